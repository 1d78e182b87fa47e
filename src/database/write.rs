//! Transactions of one user.

use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::after_commit::AfterCommit;
use super::commit::{OUTCOME_TIMEOUT, UnknownCommit};
use super::connection::{Commit, Connection};
use super::detached::EarlyAnswer;
use super::fast_path::{FAST_TIMEOUT, FastOutcome, FastPath};
use super::pool::PooledConnection;
use super::retry::{RETRY_PAUSE, retry_until};
use super::{Database, OPERATION_TIMEOUT, now};
use crate::error::Error;

/// How long the statements of one write may take in all. Each has its own limit, but over a slow network there are
/// many.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a write waits for the user's earlier writes: longer than one of them may take, as one that takes too long
/// fails alone.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(25);
const _: () = assert!(QUEUE_TIMEOUT.as_secs() > OPERATION_TIMEOUT.as_secs() + WRITE_TIMEOUT.as_secs());

const RAISE_SQLITE: &str = "INSERT INTO account (user_id, revision, created_at) VALUES ($1, 1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET revision = account.revision + 1 RETURNING revision, $2, 0";

// The clock is read once the row is locked, so that the times of one user's writes never go back.
const RAISE_POSTGRES: &str = "INSERT INTO account (user_id, revision, created_at) VALUES ($1, 1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET revision = account.revision + 1 \
    RETURNING revision, clock_timestamp(), txid_current()";

/// A transaction of one user, begun by raising the user's revision. Dropping it rolls it back.
#[derive(Debug)]
pub struct Write {
    connection: PooledConnection,
    after_commit: AfterCommit,
    user: String,
    /// PostgreSQL's number of the transaction.
    transaction: i64,
    /// The user's new revision, which goes into every row that is touched.
    pub revision: i64,
    /// Whether all of it may be written already: by a [`FastPath`] whose answer was lost.
    pub uncertain: bool,
    /// One instant for all rows, by the [`Clock`](super::Clock) that leases go by.
    pub now: DateTime<Utc>,
}

impl Deref for Write {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Write {
    /// Begins a transaction by raising `user`'s revision, which locks the account's row.
    async fn begin(connection: PooledConnection, user: &str) -> Result<Self, Error> {
        connection.begin_transaction().await?;
        match Self::raise(connection, user).await {
            Ok(write) => Ok(write),
            Err((connection, error)) => {
                connection.roll_back().await;
                Err(error)
            }
        }
    }

    /// Raises `user`'s revision in a transaction that is open.
    async fn raise(connection: PooledConnection, user: &str) -> Result<Self, (PooledConnection, Error)> {
        match raised(&connection, user).await {
            Ok((revision, now, transaction)) => Ok(Self {
                connection,
                after_commit: AfterCommit::default(),
                user: user.to_owned(),
                transaction,
                revision,
                uncertain: false,
                now,
            }),
            Err(error) => Err((connection, error)),
        }
    }

    /// Runs `action` once the transaction is committed, even if the caller of the write is gone by then. It does not run
    /// if the transaction fails.
    pub fn after_commit(&self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(action);
    }

    /// Drops the actions so far.
    pub fn clear_after_commit(&self) {
        self.after_commit.clear();
    }

    /// Commits. If the answer is lost, returns what is needed to find out the outcome.
    async fn commit(self) -> Result<Result<(), UnknownCommit>, Error> {
        match self.connection.commit().await {
            Commit::Done => Ok(Ok(())),
            Commit::Failed(error) => Err(error.into()),
            Commit::Unknown(error) => Ok(Err(UnknownCommit {
                user: self.user,
                transaction: self.transaction,
                revision: self.revision,
                cause: error.to_string(),
            })),
        }
    }
}

/// Raises `user`'s revision. Returns it, the time, and the number of the transaction.
async fn raised(connection: &Connection, user: &str) -> Result<(i64, DateTime<Utc>, i64), Error> {
    let backend = connection.get_database_backend();
    let sql = if backend == DbBackend::Postgres { RAISE_POSTGRES } else { RAISE_SQLITE };
    let raise = Statement::from_sql_and_values(backend, sql, [Value::from(user), Value::from(now())]);
    let Some(row) = connection.query_one_raw(raise).await? else {
        return Err(Error::Internal("the account row was neither inserted nor updated".to_owned()));
    };
    let now = row.try_get_by_index::<DateTime<Utc>>(1)?.trunc_subsecs(3);
    Ok((row.try_get_by_index(0)?, now, row.try_get_by_index(2)?))
}

/// What a write does in its transaction.
pub(super) type Work<I, T> =
    dyn for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync;

/// A write of `user` that waits for the user's earlier ones, and then runs.
pub(super) struct QueuedWrite<'q, I, T> {
    pub(super) database: &'q Database,
    pub(super) user: &'q str,
    pub(super) input: &'q I,
    pub(super) work: &'q Work<I, T>,
    pub(super) early: &'q EarlyAnswer,
}

impl<I: Sync, T: Send> QueuedWrite<'_, I, T> {
    /// Writes once the user's earlier writes in this server have ended, and tries again while nothing was written.
    pub(super) async fn run(self, path: impl FnOnce(&I) -> Option<FastPath<T>>) -> Result<T, Error> {
        let mut queue = self.database.queues.enter(self.user, QUEUE_TIMEOUT).await?;
        let began = Instant::now();
        let mut result = None;
        if let Some(path) = path(self.input) {
            let attempt = self.by_path(path);
            tokio::pin!(attempt);
            let Ok(written) = timeout_at(began + FAST_TIMEOUT, &mut attempt).await else {
                // Other writes need not wait for the outcome: the lock of the account orders them.
                let lost = "the answer to a write was lost";
                self.early.fail(&Error::Unavailable(lost.to_owned()));
                queue.report_outage(lost);
                drop(queue);
                return attempt.await.unwrap_or_else(|| Err(Error::Unavailable(lost.to_owned())));
            };
            result = written;
        }
        let deadline = began + OPERATION_TIMEOUT;
        let result = match result {
            Some(result) => result,
            // The database has ended the statement, as it would end the first one of a transaction.
            None if Instant::now() >= deadline => {
                return Err(Error::Unavailable("a write in one statement took too long".to_owned()));
            }
            None => self.until(deadline, false).await,
        };
        if let Err(Error::Unreachable(cause)) = &result {
            queue.report_outage(cause);
        }
        result
    }

    /// Writes by `path`. If its answer is lost, finds out by a transaction whether it was written, and writes it if not.
    /// Returns `None` if nothing was written.
    async fn by_path(&self, path: FastPath<T>) -> Option<Result<T, Error>> {
        match self.database.write_by(self.user, path).await {
            FastOutcome::Written(result) => Some(result),
            FastOutcome::Nothing => None,
            FastOutcome::Uncertain => Some(self.until(Instant::now() + OUTCOME_TIMEOUT, true).await),
        }
    }

    /// Writes, and tries again while nothing was written, until `deadline`.
    async fn until(&self, deadline: Instant, uncertain: bool) -> Result<T, Error> {
        loop {
            let result = if self.database.backend() == DbBackend::Sqlite {
                self.once_in_group(deadline).await
            } else {
                self.once(deadline, uncertain).await
            };
            let nothing_written = match &result {
                Err(Error::Conflict(_) | Error::Unreachable(_)) => true,
                // The lost statement may hold the lock of the account until it ends.
                Err(error) => uncertain && error.is_unavailable(),
                Ok(_) => false,
            };
            if !nothing_written || Instant::now() + RETRY_PAUSE >= deadline {
                return result;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// # Errors
    /// [`Error::Conflict`] and [`Error::Unreachable`] only if nothing was written.
    async fn once(&self, deadline: Instant, uncertain: bool) -> Result<T, Error> {
        let begin = || async { Write::begin(self.database.writers.acquire(None).await?, self.user).await };
        let mut write = retry_until(deadline, begin).await?;
        write.uncertain = uncertain;
        let value = match limited((self.work)(&write, self.input)).await {
            Ok(value) => value,
            Err(error) => {
                write.connection.roll_back().await;
                return Err(error);
            }
        };
        let after_commit = std::mem::take(&mut write.after_commit);
        if let Err(unknown) = write.commit().await? {
            self.database.resolve(&unknown, self.early).await?;
        }
        after_commit.run();
        Ok(value)
    }

    /// As [`Self::once`], on SQLite: the commit is shared with the writes of others.
    async fn once_in_group(&self, deadline: Instant) -> Result<T, Error> {
        let job = |connection: PooledConnection| -> BoxFuture<'_, _> {
            Box::pin(async move {
                let mut write = match Write::raise(connection, self.user).await {
                    Ok(write) => write,
                    Err((connection, error)) => return (connection, Err(error)),
                };
                let result = limited((self.work)(&write, self.input)).await;
                let after_commit = std::mem::take(&mut write.after_commit);
                (write.connection, result.map(|value| (value, after_commit)))
            })
        };
        let (value, after_commit) = self.database.group.run(&self.database.writers, deadline, &job).await?;
        after_commit.run();
        Ok(value)
    }
}

/// Runs the statements of a write for [`WRITE_TIMEOUT`] at most.
async fn limited<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let result = timeout(WRITE_TIMEOUT, work).await;
    result.unwrap_or_else(|_| Err(Error::Unavailable("a write took too long".to_owned())))
}
