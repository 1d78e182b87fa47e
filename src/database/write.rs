//! Transactions of one user.

use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use tokio::time::{Instant, sleep, timeout};

use super::after_commit::AfterCommit;
use super::commit::UnknownCommit;
use super::connection::{Commit, Connection};
use super::detached::EarlyAnswer;
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
        let backend = connection.get_database_backend();
        let sql = if backend == DbBackend::Postgres { RAISE_POSTGRES } else { RAISE_SQLITE };
        let raise = Statement::from_sql_and_values(backend, sql, [Value::from(user), Value::from(now())]);
        let row = match connection.query_one_raw(raise).await {
            Ok(Some(row)) => row,
            Ok(None) => {
                return Err(Error::Internal("the account row was neither inserted nor updated".to_owned()));
            }
            Err(error) => {
                connection.roll_back().await;
                return Err(error.into());
            }
        };
        let (revision, transaction) = (row.try_get_by_index(0)?, row.try_get_by_index(2)?);
        let now = row.try_get_by_index::<DateTime<Utc>>(1)?.trunc_subsecs(3);
        let after_commit = AfterCommit::default();
        Ok(Self { connection, after_commit, user: user.to_owned(), transaction, revision, now })
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

impl Database {
    /// Writes once `user`'s earlier writes in this server have ended, and tries again while nothing was written.
    pub(super) async fn write_queued<I, T>(
        &self,
        user: &str,
        input: &I,
        work: &(impl for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Sync),
        early: &EarlyAnswer,
    ) -> Result<T, Error>
    where
        I: Sync,
        T: Send,
    {
        let mut queue = self.queues.enter(user, QUEUE_TIMEOUT).await?;
        let deadline = Instant::now() + OPERATION_TIMEOUT;
        let result = loop {
            match self.write_once(user, input, work, early, deadline).await {
                Err(Error::Conflict(_) | Error::Unreachable(_))
                    if Instant::now() + RETRY_PAUSE < deadline =>
                {
                    sleep(RETRY_PAUSE).await;
                }
                result => break result,
            }
        };
        if let Err(Error::Unreachable(cause)) = &result {
            queue.report_outage(cause);
        }
        result
    }

    /// # Errors
    /// [`Error::Conflict`] and [`Error::Unreachable`] only if nothing was written.
    async fn write_once<I, T>(
        &self,
        user: &str,
        input: &I,
        work: &(impl for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Sync),
        early: &EarlyAnswer,
        deadline: Instant,
    ) -> Result<T, Error>
    where
        I: Sync,
        T: Send,
    {
        let begin = || async { Write::begin(self.writers.acquire(None).await?, user).await };
        let mut write = retry_until(deadline, begin).await?;
        let result = timeout(WRITE_TIMEOUT, work(&write, input)).await;
        let value =
            match result.unwrap_or_else(|_| Err(Error::Unavailable("a write took too long".to_owned()))) {
                Ok(value) => value,
                Err(error) => {
                    write.connection.roll_back().await;
                    return Err(error);
                }
            };
        let after_commit = std::mem::take(&mut write.after_commit);
        if let Err(unknown) = write.commit().await? {
            self.resolve(&unknown, early).await?;
        }
        after_commit.run();
        Ok(value)
    }
}
