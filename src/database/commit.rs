//! Finding out what became of a commit whose answer was lost.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use sea_orm::{DbBackend, DbErr, RuntimeErr, SqlxError, Statement, Value};
use tokio::time::{Instant, sleep};

use super::detached::EarlyAnswer;
use super::retry::RETRY_PAUSE;
use super::{Connection, Database, OPERATION_TIMEOUT};
use crate::error::Error;

/// How long the database is asked for the outcome.
pub(super) const OUTCOME_TIMEOUT: Duration = Duration::from_mins(1);

const STATUS: &str = "SELECT txid_status($1)";

/// After a fail-over another transaction may have the same number; the revision tells them apart. It is read once the
/// transaction is over, as a statement that began earlier would not see it.
const REVISION: &str = "SELECT revision FROM account WHERE user_id = $1";

/// A commit on PostgreSQL whose answer was lost.
#[derive(Clone, Debug)]
pub(super) struct UnknownCommit {
    pub(super) user: String,
    /// PostgreSQL's number of the transaction.
    pub(super) transaction: i64,
    /// The revision that the transaction gave the user.
    pub(super) revision: i64,
    pub(super) cause: String,
}

impl UnknownCommit {
    /// Whether the transaction is committed; `None` while it is still running.
    async fn is_committed(&self, connection: &Connection) -> Result<Option<bool>, DbErr> {
        let statement = |sql, value: Value| Statement::from_sql_and_values(DbBackend::Postgres, sql, [value]);
        let row = match connection.query_one_raw(statement(STATUS, Value::from(self.transaction))).await {
            // No transaction has had this number yet: it was lost in a fail-over.
            Err(error) if is_in_the_future(&error) => return Ok(Some(false)),
            row => row?,
        };
        let status: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
        match status.as_deref() {
            Some("in progress") => Ok(None),
            Some("committed") => {
                let user = Value::from(self.user.as_str());
                let row = connection.query_one_raw(statement(REVISION, user)).await?;
                let revision: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
                Ok(Some(revision.is_some_and(|revision| revision >= self.revision)))
            }
            _ => Ok(Some(false)),
        }
    }
}

fn is_in_the_future(error: &DbErr) -> bool {
    let DbErr::Query(RuntimeErr::SqlxError(error)) = error else { return false };
    matches!(&**error, SqlxError::Database(error) if error.code().as_deref() == Some("22023"))
}

impl Database {
    /// Asks the database until it knows the outcome of `commit`, for [`OUTCOME_TIMEOUT`] at most. The caller's request
    /// fails after [`OPERATION_TIMEOUT`], but what follows the commit is done whenever the commit turns out to have
    /// taken place.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if nothing was written; [`Error::Unavailable`] if the outcome stays unknown.
    pub(super) async fn resolve(&self, commit: &UnknownCommit, early: &EarlyAnswer) -> Result<(), Error> {
        let began = Instant::now();
        let unknown = || Error::Unavailable(format!("the answer to a commit was lost: {}", commit.cause));
        while began.elapsed() < OUTCOME_TIMEOUT {
            match self
                .read(|connection| {
                    let commit = commit.clone();
                    Box::pin(async move { commit.is_committed(connection).await })
                })
                .await
            {
                Ok(Some(true)) => return Ok(()),
                Ok(Some(false)) => return Err(Error::Unreachable(commit.cause.clone())),
                Ok(None) | Err(_) => {}
            }
            if began.elapsed() > OPERATION_TIMEOUT {
                early.fail(&unknown());
            }
            sleep(RETRY_PAUSE).await;
        }
        Err(unknown())
    }
}
