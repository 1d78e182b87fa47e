//! Brief reads of SQLite in the thread that asks for them.
//!
//! The driver has a thread for each connection, which steps a statement and sends row by row. A page takes SQLite 10 to
//! 40 microseconds, which is less than to wake that thread and to hand the rows over. So a statement that reads no more
//! than a page, by an index, is stepped here. It is ended if it takes long, such as while a disk is slow, and is then run
//! as any other.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::SecondsFormat;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags};
use sea_orm::{DbErr, Statement, Value};

use super::connection::Observer;
use super::row::Row;

/// How long a statement may keep its caller's thread, which serves others too.
const LIMIT: Duration = Duration::from_millis(2);

/// How many instructions SQLite runs between two looks at the clock.
const PROGRESS_INSTRUCTIONS: i32 = 1000;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 64;

/// Connections that read. There are as many as threads have read at once.
pub(super) struct SqliteReader {
    file: PathBuf,
    /// `None` once it is closed.
    idle: Mutex<Option<Vec<Connection>>>,
    observer: Observer,
}

impl fmt::Debug for SqliteReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteReader").finish_non_exhaustive()
    }
}

impl SqliteReader {
    pub(super) fn new(file: PathBuf, observer: Observer) -> Self {
        Self { file, idle: Mutex::new(Some(Vec::new())), observer }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Calls `take` with each row of `statement` until it breaks; `None` if the statement must be run otherwise. What
    /// was taken then is not all.
    pub(super) fn for_each_row(
        &self,
        statement: &Statement,
        take: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, DbErr>,
    ) -> Option<()> {
        let idle = self.lock().as_mut()?.pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open().ok()?,
        };
        let read = read(&connection, statement, take);
        if let Some(idle) = self.lock().as_mut() {
            idle.push(connection);
        }
        if read.is_some() {
            self.observer.call(statement);
        }
        read
    }

    /// Closes the connections; nothing is read any more.
    pub(super) fn close(&self) {
        drop(self.lock().take());
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        // Whoever would have to wait waits elsewhere.
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Steps `statement` for [`LIMIT`] at most. What is wrong with it is said where it is run otherwise.
fn read(
    connection: &Connection,
    statement: &Statement,
    mut take: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, DbErr>,
) -> Option<()> {
    let deadline = Instant::now() + LIMIT;
    connection.progress_handler(PROGRESS_INSTRUCTIONS, Some(move || Instant::now() >= deadline)).ok()?;
    let mut query = connection.prepare_cached(&statement.sql).ok()?;
    bind(&mut query, statement)?;
    let mut rows = query.raw_query();
    while let Some(row) = rows.next().ok()? {
        if take(Row::Sqlite(row)).ok()?.is_break() {
            break;
        }
        // Rows may be long.
        if Instant::now() >= deadline {
            return None;
        }
    }
    Some(())
}

/// Binds the values as the driver does. `$2` stands for the second one, wherever it comes first.
fn bind(query: &mut CachedStatement<'_>, statement: &Statement) -> Option<()> {
    for place in 1..=query.parameter_count() {
        let number = match query.parameter_name(place) {
            Some(name) => name.get(1..)?.parse().ok()?,
            None => place,
        };
        let value = statement.values.as_ref()?.0.get(number - 1)?;
        query.raw_bind_parameter(place, encode(value)?).ok()?;
    }
    Some(())
}

/// A value as the driver stores it.
fn encode(value: &Value) -> Option<ToSqlOutput<'_>> {
    Some(match value {
        Value::Bool(Some(it)) => i64::from(*it).into(),
        Value::Int(Some(it)) => i64::from(*it).into(),
        Value::BigInt(Some(it)) => (*it).into(),
        Value::String(Some(it)) => ToSqlOutput::Borrowed(ValueRef::Text(it.as_bytes())),
        Value::Uuid(Some(it)) => ToSqlOutput::Borrowed(ValueRef::Blob(it.as_bytes())),
        Value::ChronoDateTimeUtc(Some(it)) => it.to_rfc3339_opts(SecondsFormat::AutoSi, false).into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
