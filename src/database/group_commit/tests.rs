//! What one write does to others that share its commit.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::super::{Address, Database};
use super::*;

async fn database(directory: &TempDir) -> Database {
    let url = format!("sqlite://{}", directory.path().join("group.db").display());
    let database = Database::connect(Address::parse(&url).unwrap(), 4).await.unwrap();
    run(&database, "CREATE TABLE written (number INTEGER)", None, Ok(())).await.unwrap();
    database
}

/// A write of `sql` that begins to end at the `gate`, if there is one, and then has this result.
async fn run(
    database: &Database,
    sql: &str,
    gate: Option<oneshot::Receiver<()>>,
    result: Result<(), Error>,
) -> Result<(), Error> {
    run_within(database, Duration::from_mins(1), sql, gate, result).await
}

async fn run_within(
    database: &Database,
    limit: Duration,
    sql: &str,
    gate: Option<oneshot::Receiver<()>>,
    result: Result<(), Error>,
) -> Result<(), Error> {
    let gate = Mutex::new(gate);
    let job = |connection: PooledConnection| -> BoxFuture<'_, _> {
        Box::pin(async {
            let written = connection.execute_unprepared(sql).await;
            if let Some(gate) = gate.lock().await.take() {
                gate.await.unwrap();
            }
            (connection, written.map(drop).map_err(Error::from).and(result.clone()))
        })
    };
    database.group.run(&database.writers, Instant::now() + limit, &job).await
}

async fn numbers(database: &Database) -> Vec<i64> {
    let select = database.statement("SELECT number FROM written ORDER BY number", []);
    let rows = database.rows(select).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Opens the gate once so many writes wait for their turn.
async fn open_once(database: &Database, waiting: usize, open: oneshot::Sender<()>) {
    while database.group.waiting.load(Ordering::Acquire) < waiting {
        tokio::task::yield_now().await;
    }
    open.send(()).unwrap();
}

/// Three writes that are there at once, the second of which runs `sql` and fails. Tells how they ended, and what is
/// written then.
async fn three(sql: &str) -> ([bool; 3], Vec<i64>) {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let (open, gate) = oneshot::channel();
    let (first, second, third, ()) = tokio::join!(
        run(&database, "INSERT INTO written VALUES (1)", Some(gate), Ok(())),
        async { run(&database, sql, None, Err(Error::NotFound("a row"))).await },
        run(&database, "INSERT INTO written VALUES (3)", None, Ok(())),
        open_once(&database, 2, open)
    );
    ([first.is_ok(), second.is_ok(), third.is_ok()], numbers(&database).await)
}

#[tokio::test]
async fn a_write_that_fails_takes_only_itself_back() {
    assert_eq!(Box::pin(three("INSERT INTO written VALUES (2)")).await, ([true, false, true], vec![1, 3]));
}

/// Writes `number`, and then what cannot be written, both by the end of the write; `first` runs before them.
async fn run_later(database: &Database, first: &str, number: i64) -> Result<(), Error> {
    let job = |connection: PooledConnection| -> BoxFuture<'_, _> {
        Box::pin(async move {
            let mut written = connection.execute_unprepared(first).await.map(drop);
            for (table, number) in [("written", number), ("missing", 0)] {
                let insert = database.statement(format!("INSERT INTO {table} VALUES ($1)"), [number.into()]);
                written = written.and(connection.run_later(insert).await);
            }
            (connection, written.map_err(Error::from))
        })
    };
    database.group.run(&database.writers, Instant::now() + Duration::from_mins(1), &job).await
}

#[tokio::test]
async fn a_write_that_fails_with_what_it_left_for_its_end_takes_only_itself_back() {
    for first in ["", "INSERT INTO written VALUES (4)"] {
        let directory = TempDir::new().unwrap();
        let database = database(&directory).await;
        let (open, gate) = oneshot::channel();
        let (one, two, three, ()) = tokio::join!(
            run(&database, "INSERT INTO written VALUES (1)", Some(gate), Ok(())),
            run_later(&database, first, 2),
            run(&database, "INSERT INTO written VALUES (3)", None, Ok(())),
            open_once(&database, 2, open)
        );
        assert!(one.is_ok() && two.is_err() && three.is_ok(), "after {first:?}");
        assert_eq!(numbers(&database).await, [1, 3], "after {first:?}");
    }
}

#[tokio::test]
async fn writes_whose_transaction_is_rolled_back_as_a_whole_are_done_again() {
    // As SQLite does by itself after some errors.
    assert_eq!(Box::pin(three("ROLLBACK")).await, ([true, false, true], vec![1, 3]));
}

#[tokio::test]
async fn a_write_that_is_broken_off_does_not_fail_those_before_it() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let (open, gate) = oneshot::channel();
    let endless = "INSERT INTO written WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c";
    let insert = "INSERT INTO written VALUES (1)";
    let short = Duration::from_millis(500);
    let (first, second, ()) = tokio::join!(
        run_within(&database, short, insert, Some(gate), Ok(())),
        run(&database, endless, None, Ok(())),
        open_once(&database, 1, open)
    );
    assert!(second.is_err_and(|error| error.is_unavailable()));
    first.expect("the time that the other one took is not this one's");
    assert_eq!(numbers(&database).await, [1]);
}

#[tokio::test]
async fn a_write_that_takes_long_is_done_and_the_one_before_it_does_not_wait_for_it() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let (open, gate) = oneshot::channel();
    let (open_second, second_gate) = oneshot::channel();
    let first = async {
        run(&database, "INSERT INTO written VALUES (1)", Some(gate), Ok(())).await.unwrap();
        // Nobody waits for it any more if it was broken off.
        let _ = open_second.send(());
    };
    let second = run(&database, "INSERT INTO written VALUES (2)", Some(second_gate), Ok(()));
    let all = async { tokio::join!(first, second, open_once(&database, 1, open)) };
    let ((), second, ()) =
        timeout(Duration::from_secs(30), Box::pin(all)).await.expect("the first one is answered");
    second.unwrap();
    assert_eq!(numbers(&database).await, [1, 2]);
}

#[tokio::test]
async fn nobody_joins_a_transaction_that_was_left_open_for_long() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let (open, gate) = oneshot::channel();
    let busy = "INSERT INTO written WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000)
        SELECT 2 FROM c WHERE n = 300000";
    let third = |connection: PooledConnection| -> BoxFuture<'_, _> {
        Box::pin(async { (connection, Ok(numbers(&database).await)) })
    };
    let later = Instant::now() + Duration::from_mins(1);
    let (first, second, seen, ()) = tokio::join!(
        run(&database, "INSERT INTO written VALUES (1)", Some(gate), Ok(())),
        async { run(&database, busy, None, Ok(())).await },
        async { database.group.run(&database.writers, later, &third).await },
        open_once(&database, 2, open)
    );
    first.unwrap();
    second.unwrap();
    assert_eq!(seen.unwrap(), [1, 2], "those before it are committed");
}

#[tokio::test]
async fn nothing_is_committed_while_others_wait_and_everything_then() {
    let directory = TempDir::new().unwrap();
    let database = database(&directory).await;
    let count = async || {
        let select = database.statement("SELECT COUNT(*) FROM written", []);
        database.row(select).await.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap()
    };
    let (open, gate) = oneshot::channel();
    let (open_second, second_gate) = oneshot::channel();
    let insert = "INSERT INTO written VALUES (1)";
    let watch = async {
        while database.group.waiting.load(Ordering::Acquire) < 1 {
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();
        while database.group.waiting.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(count().await, 0, "the first one waits for the second one's commit");
        open_second.send(()).unwrap();
    };
    let (first, second, ()) = tokio::join!(
        run(&database, insert, Some(gate), Ok(())),
        run(&database, insert, Some(second_gate), Ok(())),
        watch
    );
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(count().await, 2);
}
