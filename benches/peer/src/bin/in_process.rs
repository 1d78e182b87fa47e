//! What SQLite itself can do: the peer's statements by rusqlite, in one thread, without HTTP, JSON or tokens.
//!
//! `in_process FILE list|open|send SECONDS CONVERSATIONS` prints a JSON object. A send is one transaction with both
//! messages, on the disk before the next one begins.

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, params};
use serde_json::json;
use uuid::Uuid;

const LIST: &str = "SELECT id, title, created_at, updated_at FROM conversation WHERE user_id = ?
    ORDER BY updated_at DESC, id DESC LIMIT 21";
const ONE: &str = "SELECT id, title, created_at, updated_at FROM conversation WHERE id = ? AND user_id = ?";
const MESSAGES: &str = "SELECT id, role, content, position, created_at FROM message
    WHERE conversation_id = ? ORDER BY position DESC LIMIT 51";
const TOUCH: &str = "UPDATE conversation SET updated_at = ? WHERE id = ? AND user_id = ?";
const APPEND: &str = "INSERT INTO message (id, conversation_id, user_id, position, role, content, created_at)
    SELECT ?3, ?1, ?2, coalesce(max(position), 0) + 1, ?4, ?5, ?6 FROM message WHERE conversation_id = ?1";
const TEXT: &str =
    "Could you move the dentist to Friday, and remind me on Thursday evening? Milk and bread are missing.";
const NOW: &str = "2026-01-01T00:00:00.001+00:00";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let [_, file, operation, seconds, conversations] = &arguments[..] else {
        return Err("in_process FILE list|open|send SECONDS CONVERSATIONS".into());
    };
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000",
    )?;
    let run = match operation.as_str() {
        "list" => list,
        "open" => open,
        "send" => send,
        _ => return Err("there is no such operation".into()),
    };
    let seconds = Duration::from_secs_f64(seconds.parse()?);
    let conversations: u64 = conversations.parse()?;
    let (begun, mut count, mut chance) = (Instant::now(), 0_u64, 88_172_645_463_325_252_u64);
    while begun.elapsed() < seconds {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        run(&connection, chance % conversations)?;
        count += 1;
    }
    let taken = begun.elapsed().as_secs_f64();
    println!("{}", json!({ "requests": count, "seconds": taken }));
    Ok(())
}

/// The id of a seeded conversation, and its user.
fn place(number: u64) -> (Uuid, String) {
    let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number));
    (id, format!("user-{:06}", number / 20))
}

fn list(connection: &Connection, number: u64) -> rusqlite::Result<usize> {
    read(connection, LIST, &[&place(number).1])
}

fn open(connection: &Connection, number: u64) -> rusqlite::Result<usize> {
    let (id, user) = place(number);
    let id = id.as_bytes().to_vec();
    Ok(read(connection, ONE, &[&id, &user])? + read(connection, MESSAGES, &[&id])?)
}

/// Reads all columns of all rows; returns how many bytes they have.
fn read(connection: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let (mut rows, mut bytes) = (statement.query(values)?, 0);
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            bytes += match row.get(column)? {
                Value::Text(text) => text.len(),
                Value::Blob(blob) => blob.len(),
                _ => 8,
            };
        }
    }
    Ok(bytes)
}

fn send(connection: &Connection, number: u64) -> rusqlite::Result<usize> {
    let (id, user) = place(number);
    let id = id.as_bytes().to_vec();
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.prepare_cached(TOUCH)?.execute(params![NOW, id, user])?;
    for role in ["user", "assistant"] {
        let message = Uuid::now_v7().as_bytes().to_vec();
        connection.prepare_cached(APPEND)?.execute(params![id, user, message, role, TEXT, NOW])?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(2)
}
