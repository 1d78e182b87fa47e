//! Commits that writes share, on SQLite.
//!
//! All writes run one after another on the one connection that writes, and a commit waits for the disk. A write that ends
//! while others wait for their turn leaves the transaction open for them, and is answered once it is committed. Each
//! write but the first is a savepoint, so that one that fails takes only itself back. With 16 senders it is 1.8 times as
//! many sends a second.
//!
//! What one write does to the others is bounded: a transaction is left open for a moment only, and a write that joins it
//! and takes long is broken off. Whoever is rolled back because of another one is written alone then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::OPERATION_TIMEOUT;
use super::connection::Commit;
use super::pool::{Pool, PooledConnection};
use super::retry::{RETRY_PAUSE, retry_until};
use crate::error::Error;

/// How many writes share a commit at most.
const WRITES: usize = 64;

/// After how long no further write joins a transaction.
const OPEN: Duration = Duration::from_millis(20);

/// How long a write may take that joins the transaction of others.
const JOINED_TIMEOUT: Duration = Duration::from_secs(1);

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
    members: Vec<Member>,
}

/// A write that waits for the commit.
#[derive(Debug)]
struct Member {
    since: Instant,
    committed: oneshot::Sender<Result<(), Error>>,
}

/// A write on the connection that it is given, which it gives back. It may run twice, each time in a new transaction.
pub(super) type Job<'j, T> =
    dyn Fn(PooledConnection) -> BoxFuture<'j, (PooledConnection, Result<T, Error>)> + Sync + 'j;

impl GroupCommit {
    /// Runs `job` in a transaction on a connection of `writers`, and returns when that is committed. The caller must not
    /// drop the future: others' writes may be in the transaction.
    ///
    /// # Errors
    /// The error of `job`. Nothing is written then.
    pub(super) async fn run<T>(
        &self,
        writers: &Arc<Pool>,
        deadline: Instant,
        job: &Job<'_, T>,
    ) -> Result<T, Error> {
        match self.run_once(writers, deadline, true, job).await {
            // The time that is lost is not this write's.
            Err(Error::Conflict(_)) => {
                self.run_once(writers, Instant::now() + OPERATION_TIMEOUT, false, job).await
            }
            result => result,
        }
    }

    /// # Errors
    /// The error of `job`; if it `shares` its transaction, also [`Error::Conflict`] if that was rolled back because of
    /// another write, or if `job` took too long for the others.
    async fn run_once<T>(
        &self,
        writers: &Arc<Pool>,
        deadline: Instant,
        shares: bool,
        job: &Job<'_, T>,
    ) -> Result<T, Error> {
        let mut turn = self.wait_for_turn(deadline).await?;
        if let Some(group) = turn.take_if(|group| !shares || group.is_old()) {
            group.commit().await;
        }
        let (connection, mut members) = match turn.take() {
            Some(Group { connection, members }) => {
                connection.set_savepoint();
                (connection, members)
            }
            None => (begin(writers, deadline).await?, Vec::new()),
        };
        let limit = if members.is_empty() { Duration::MAX } else { JOINED_TIMEOUT };
        let Ok((connection, result)) = timeout(limit, job(connection)).await else {
            // The connection is rolled back as it is dropped.
            fail(members);
            drop(turn);
            // The others first.
            sleep(RETRY_PAUSE).await;
            return Err(rolled_back());
        };
        let finished = match result {
            Ok(value) => connection.finish().await.map(|()| value).map_err(Error::from),
            Err(error) => Err(error),
        };
        let value = match finished {
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
        members.push(Member { since: Instant::now(), committed: sender });
        let group = Group { connection, members };
        if !shares || self.waiting.load(Ordering::Acquire) == 0 || group.members.len() >= WRITES {
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
    fn is_old(&self) -> bool {
        self.members.first().is_some_and(|oldest| oldest.since.elapsed() > OPEN)
    }

    /// Commits, and tells those whose writes it has.
    async fn commit(self) {
        let result = match self.connection.commit().await {
            Commit::Done => Ok(()),
            Commit::Failed(error) | Commit::Unknown(error) => Err(Error::from(error)),
        };
        drop(self.connection);
        for member in self.members {
            let _ = member.committed.send(result.clone());
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
fn fail(members: Vec<Member>) {
    for member in members {
        let _ = member.committed.send(Err(rolled_back()));
    }
}

fn rolled_back() -> Error {
    Error::Conflict("the transaction was rolled back because of another write".to_owned())
}

#[cfg(test)]
mod tests;
