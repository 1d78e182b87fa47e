//! What is read here is what the driver reads.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::ValueType;
use sea_orm::{ConnectionTrait, FromQueryResult, TryGetable};
use tempfile::TempDir;
use uuid::Uuid;

use super::super::{Address, Database};
use super::*;
use crate::entity::message::{Failure, FailureCode, Parts, Rating, Role, Usage};

async fn database(directory: &TempDir) -> Database {
    let url = format!("sqlite://{}", directory.path().join("read.db").display());
    Database::connect(Address::parse(&url).unwrap(), 4).await.unwrap()
}

/// Reads a column of type `T` into which `value` was stored by the driver, both ways.
async fn is_read_as_stored<T>(database: &Database, value: T)
where
    T: TryGetable + ValueType + Into<Value> + Clone + Debug + PartialEq,
{
    let statement = database.statement("SELECT $1", [value.clone().into()]);
    let rows = database.rows(statement.clone()).await.unwrap();
    let sent: T = Row::Driver(&rows[0]).get(0).unwrap();
    assert_eq!(sent, value);
    // It is stored by the driver, and read here.
    let table =
        database.statement("CREATE TABLE IF NOT EXISTS stored (number INTEGER PRIMARY KEY, value)", []);
    database.update(table).await.unwrap();
    let store = "INSERT INTO stored VALUES (1, $1) ON CONFLICT DO UPDATE SET value = excluded.value";
    database.update(database.statement(store, [value.clone().into()])).await.unwrap();
    let mut read = None;
    let stored = database.statement("SELECT value FROM stored", []);
    database.read_at_once(&stored, |row| {
        read = Some(row.get::<T>(0)?);
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!(read, Some(value));
}

#[tokio::test]
async fn every_type_is_read_as_the_driver_stores_it() {
    let directory = TempDir::new().unwrap();
    let database = &database(&directory).await;
    let at: DateTime<Utc> = "2026-11-22T10:00:00.120Z".parse().unwrap();
    let failure = Failure { code: FailureCode::Empty, message: "\"x\"".to_owned(), retryable: true };
    is_read_as_stored(database, true).await;
    is_read_as_stored(database, 7i32).await;
    is_read_as_stored(database, i64::MIN).await;
    is_read_as_stored(database, "\u{e4} \u{1f642}".to_owned()).await;
    is_read_as_stored(database, Uuid::now_v7()).await;
    is_read_as_stored(database, at).await;
    is_read_as_stored(database, at - chrono::TimeDelta::milliseconds(120)).await;
    is_read_as_stored(database, Role::Assistant).await;
    is_read_as_stored(database, Parts::default()).await;
    is_read_as_stored(database, Some(failure)).await;
    is_read_as_stored(database, None::<Usage>).await;
    is_read_as_stored(database, Some(Rating::Down)).await;
    is_read_as_stored(database, None::<Rating>).await;
    is_read_as_stored(database, None::<DateTime<Utc>>).await;
    is_read_as_stored(database, None::<Uuid>).await;
}

/// The first column of all rows, a number; `None` if they were not read here.
fn numbers(database: &Database, statement: &Statement) -> Option<Vec<i64>> {
    let mut numbers = Vec::new();
    let read = database.read_at_once(statement, |row| {
        numbers.push(row.get(0)?);
        Ok(if numbers.len() == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    read.map(|()| numbers)
}

#[tokio::test]
async fn values_have_the_places_that_the_statement_gives_them() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let three = "SELECT $3 UNION ALL SELECT $1 UNION ALL SELECT $2 UNION ALL SELECT $3";
    let three = database.statement(three, [1i64.into(), 2i64.into(), 3i64.into()]);
    assert_eq!(numbers(&database, &three), Some(vec![3, 1, 2, 3]));
    let two = database.statement("SELECT ? UNION ALL SELECT ?", [1i64.into(), 2i64.into()]);
    assert_eq!(numbers(&database, &two), Some(vec![1, 2]));
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n";
    assert_eq!(numbers(&database, &database.statement(many, [])), Some(vec![1, 2, 3, 4, 5]));
    assert_eq!(numbers(&database, &three), Some(vec![3, 1, 2, 3]), "the one before was not read to its end");
}

#[tokio::test]
async fn what_takes_long_waits_or_fails_is_left_to_the_driver() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let long = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000000) SELECT max(n) FROM n";
    let began = Instant::now();
    assert_eq!(numbers(&database, &database.statement(long, [])), None);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(numbers(&database, &database.statement("SELECT 1 FROM nothing", [])), None);
    assert_eq!(numbers(&database, &database.statement("SELECT 'one'", [])), None);
    assert_eq!(numbers(&database, &database.statement("SELECT $1", [])), None);
    assert_eq!(numbers(&database, &database.statement("SELECT 1", [])), Some(vec![1]));
    database.close().await;
    assert_eq!(numbers(&database, &database.statement("SELECT 1", [])), None);
}

#[derive(Debug, FromQueryResult)]
struct Number {
    number: i64,
}

#[tokio::test]
async fn what_is_committed_is_seen_at_once_and_only_that() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let create = database.statement("CREATE TABLE written (number INTEGER)", []);
    database.update(create).await.unwrap();
    let select = database.statement("SELECT number FROM written ORDER BY number", []);
    assert_eq!(numbers(&database, &select), Some(vec![]));
    let connection = database.writers.acquire(None).await.unwrap();
    connection.begin_transaction().await.unwrap();
    connection.execute_unprepared("INSERT INTO written VALUES (1)").await.unwrap();
    let inside: Option<Number> = connection.first("SELECT number FROM written", []).await.unwrap();
    assert_eq!(inside.unwrap().number, 1);
    assert_eq!(numbers(&database, &select), Some(vec![]));
    let _ = connection.commit().await;
    assert_eq!(numbers(&database, &select), Some(vec![1]));
    connection.execute_unprepared("ALTER TABLE written ADD COLUMN more INTEGER").await.unwrap();
    assert_eq!(numbers(&database, &select), Some(vec![1]), "a statement that is prepared sees a new column");
}
