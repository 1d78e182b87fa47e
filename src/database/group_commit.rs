//! Commits that writes share, on SQLite.
//!
//! All writes run one after another on the one connection that writes, and a commit waits for the disk. A write that ends
//! while others wait for their turn leaves the transaction open for them, and is answered once it is committed. Each
//! write but the first is a savepoint, so that one that fails takes only itself back. With 16 senders it is 1.8 times as many sends a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::{Instant, timeout_at};

use super::connection::Commit;
use super::pool::{Pool, PooledConnection};
use super::retry::retry_until;
use crate::error::Error;

/// How many writes share a commit at most.
const WRITES: usize = 64;

/// The turns of writes.
#[derive(Debug, Default)]
pub(super) struct GroupCommit {
    turn: Arc<Mutex<Option<Group>>>,
    /// How many writes wait for their turn.
    waiting: Arc<AtomicUsize>,
}

/// An open transaction, and the writes that are done in it.
#[derive(Debug)]
struct Group {
    connection: PooledConnection,
    members: Vec<oneshot::Sender<Result<(), Error>>>,
}

/// A write on the connection that it is given, which it gives back.
pub(super) type Job<'j, T> =
    Box<dyn FnOnce(PooledConnection) -> BoxFuture<'j, (PooledConnection, Result<T, Error>)> + Send + 'j>;

impl GroupCommit {
    /// Runs `job` in a transaction on a connection of `writers`, and returns when that is committed. The caller must not
    /// drop the future: others' writes may be in the transaction.
    ///
    /// # Errors
    /// The error of `job`; [`Error::Conflict`] if the transaction was rolled back because of another write.
    pub(super) async fn run<T>(
        &self,
        writers: &Arc<Pool>,
        deadline: Instant,
        job: Job<'_, T>,
    ) -> Result<T, Error> {
        let mut turn = self.wait_for_turn(deadline).await?;
        let (connection, mut members) = match turn.take() {
            Some(Group { connection, members }) => {
                if let Err(error) = connection.set_savepoint().await {
                    fail(members);
                    return Err(error.into());
                }
                (connection, members)
            }
            None => (begin(writers, deadline).await?, Vec::new()),
        };
        let (connection, result) = job(connection).await;
        let value = match result.and_then(|value| connection.check().map(|()| value).map_err(Error::from)) {
            Ok(value) => value,
            Err(error) if members.is_empty() => {
                connection.roll_back().await;
                return Err(error);
            }
            Err(error) => {
                // SQLite may have rolled back all of it.
                match connection.roll_back_to_savepoint().await {
                    Ok(()) => *turn = Some(Group { connection, members }),
                    Err(_) => fail(members),
                }
                return Err(error);
            }
        };
        let (sender, mut committed) = oneshot::channel();
        members.push(sender);
        let group = Group { connection, members };
        if self.waiting.load(Ordering::Acquire) == 0 || group.members.len() >= WRITES {
            group.commit().await;
        } else {
            *turn = Some(group);
            drop(turn);
            // The next turn of this write comes after those that wait now. Whoever is last commits.
            tokio::select! {
                biased;
                result = &mut committed => return result.unwrap_or_else(|_| Err(rolled_back())).map(|()| value),
                mut turn = self.turn.clone().lock_owned() => {
                    if let Some(group) = turn.take() {
                        group.commit().await;
                    }
                }
            }
        }
        committed.await.unwrap_or_else(|_| Err(rolled_back())).map(|()| value)
    }

    async fn wait_for_turn(&self, deadline: Instant) -> Result<OwnedMutexGuard<Option<Group>>, Error> {
        let _waiting = Waiting::among(&self.waiting);
        let turn = timeout_at(deadline, self.turn.clone().lock_owned()).await;
        turn.map_err(|_| Error::Unavailable("other writes take too long".to_owned()))
    }
}

/// Counts a write that waits until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn among(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Group {
    /// Commits, and tells those whose writes it has.
    async fn commit(self) {
        let result = match self.connection.commit().await {
            Commit::Done => Ok(()),
            Commit::Failed(error) | Commit::Unknown(error) => Err(Error::from(error)),
        };
        drop(self.connection);
        for member in self.members {
            let _ = member.send(result.clone());
        }
    }
}

async fn begin(writers: &Arc<Pool>, deadline: Instant) -> Result<PooledConnection, Error> {
    retry_until(deadline, || async {
        let connection = writers.acquire(None).await?;
        connection.begin_transaction().await?;
        Ok(connection)
    })
    .await
}

/// Tells the writes of a transaction that is no more.
fn fail(members: Vec<oneshot::Sender<Result<(), Error>>>) {
    for member in members {
        let _ = member.send(Err(rolled_back()));
    }
}

fn rolled_back() -> Error {
    Error::Conflict("the transaction was rolled back because of another write".to_owned())
}

#[cfg(test)]
mod tests {
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
        let job = |connection: PooledConnection| -> BoxFuture<'_, _> {
            Box::pin(async move {
                connection.execute_unprepared(sql).await.unwrap();
                if let Some(gate) = gate {
                    gate.await.unwrap();
                }
                (connection, result)
            })
        };
        let deadline = Instant::now() + Duration::from_mins(1);
        database.group.run(&database.writers, deadline, Box::new(job)).await
    }

    /// Three writes that are there at once, the second of which runs `sql` and fails. Tells how they ended, and what is
    /// written then.
    async fn three(sql: &str) -> ([bool; 3], Vec<i64>) {
        let directory = TempDir::new().unwrap();
        let database = database(&directory).await;
        let (open, gate) = oneshot::channel();
        let second = async { run(&database, sql, None, Err(Error::NotFound("a row"))).await };
        let watch = async {
            while database.group.waiting.load(Ordering::Acquire) < 2 {
                tokio::task::yield_now().await;
            }
            open.send(()).unwrap();
        };
        let (first, second, third, ()) = tokio::join!(
            run(&database, "INSERT INTO written VALUES (1)", Some(gate), Ok(())),
            second,
            run(&database, "INSERT INTO written VALUES (3)", None, Ok(())),
            watch
        );
        let select = database.statement("SELECT number FROM written ORDER BY number", []);
        let rows = database.rows(select).await.unwrap();
        let written = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        ([first.is_ok(), second.is_ok(), third.is_ok()], written)
    }

    #[tokio::test]
    async fn a_write_that_fails_takes_only_itself_back() {
        assert_eq!(
            Box::pin(three("INSERT INTO written VALUES (2)")).await,
            ([true, false, true], vec![1, 3])
        );
    }

    #[tokio::test]
    async fn writes_whose_transaction_is_rolled_back_as_a_whole_are_told_so() {
        // As SQLite does by itself after some errors.
        assert_eq!(Box::pin(three("ROLLBACK")).await, ([false, false, true], vec![3]));
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
}
