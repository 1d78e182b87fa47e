//! Transactions on a connection.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use super::deferred::Savepoint;
use super::{ANSWER_TIMEOUT, Connection, PING_TIMEOUT};

/// What a transaction that is not committed is told.
const FAILED: &str = "a statement of the transaction has failed";

/// What became of a commit.
pub(in crate::database) enum Commit {
    Done,
    /// The transaction was rolled back.
    Failed(DbErr),
    /// The answer was lost.
    Unknown(DbErr),
}

impl Connection {
    /// Begins a transaction; on SQLite one that writes.
    pub(in crate::database) async fn begin_transaction(&self) -> Result<(), DbErr> {
        let (sql, limit) = match self.get_database_backend() {
            DbBackend::Postgres => ("BEGIN", PING_TIMEOUT * 2),
            // It waits for the current writer.
            _ => ("BEGIN IMMEDIATE", ANSWER_TIMEOUT),
        };
        self.deferred.clear();
        self.failed.store(false, Ordering::Release);
        self.in_transaction.store(true, Ordering::Release);
        let result = self.control(sql, limit).await;
        if result.is_err() && !self.is_running() {
            self.in_transaction.store(false, Ordering::Release);
        }
        result
    }

    /// Runs a statement that is a transaction by itself, and returns its rows. Until its answer has come, the connection
    /// is in a transaction: what runs on it may be the commit, and is not cancelled.
    pub(in crate::database) async fn transaction_of(
        &self,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, DbErr> {
        self.in_transaction.store(true, Ordering::Release);
        let rows = self.query_all_raw(statement).await;
        if !self.is_running() {
            self.in_transaction.store(false, Ordering::Release);
        }
        rows
    }

    /// Sets a savepoint in the transaction, together with the next statement.
    pub(in crate::database) fn set_savepoint(&self) {
        self.deferred.clear();
        self.deferred.add_savepoint("SAVEPOINT job");
    }

    /// Rolls back what was done since the savepoint, also after a statement that has failed.
    pub(in crate::database) async fn roll_back_to_savepoint(&self) -> Result<(), DbErr> {
        if self.is_running() || self.is_broken() {
            return Err(DbErr::Custom("the connection cannot be used any more".to_owned()));
        }
        match self.deferred.clear() {
            Savepoint::Deferred => {}
            Savepoint::Set => self.control("ROLLBACK TO job", ANSWER_TIMEOUT).await?,
            // There is an earlier one with the name, to which nothing must be rolled back.
            Savepoint::None | Savepoint::Sent => {
                return Err(DbErr::Custom("the savepoint was not set".to_owned()));
            }
        }
        self.failed.store(false, Ordering::Release);
        Ok(())
    }

    /// Runs what was left for later, and checks that no statement of the transaction has failed.
    pub(in crate::database) async fn finish(&self) -> Result<(), DbErr> {
        self.catch_up().await?;
        self.check()
    }

    /// Checks that no statement of the transaction has failed.
    fn check(&self) -> Result<(), DbErr> {
        if self.failed.load(Ordering::Acquire) { Err(DbErr::Custom(FAILED.to_owned())) } else { Ok(()) }
    }

    /// Commits, unless a statement has failed.
    pub(in crate::database) async fn commit(&self) -> Commit {
        if let Err(error) = self.finish().await {
            // PostgreSQL would roll back and still answer COMMIT without an error.
            self.roll_back().await;
            return Commit::Failed(error);
        }
        let is_remote = self.get_database_backend() == DbBackend::Postgres;
        match self.control("COMMIT", if is_remote { ANSWER_TIMEOUT } else { Duration::MAX }).await {
            Ok(()) => {
                self.in_transaction.store(false, Ordering::Release);
                Commit::Done
            }
            Err(error) if is_remote && (self.is_running() || self.is_broken()) => Commit::Unknown(error),
            Err(error) => {
                self.roll_back().await;
                Commit::Failed(error)
            }
        }
    }

    /// Rolls the transaction back. If that fails, the connection is closed when it is returned to the pool.
    pub(in crate::database) async fn roll_back(&self) {
        self.deferred.clear();
        if self.is_running() || self.is_broken() {
            return;
        }
        match self.control("ROLLBACK", ANSWER_TIMEOUT).await {
            Ok(()) => self.in_transaction.store(false, Ordering::Release),
            Err(_) => self.broken.store(true, Ordering::Release),
        }
    }
}
