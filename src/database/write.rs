//! Transactions of one user.

use std::ops::Deref;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, SqlxError, Statement, Value};

use super::connection::{Commit, Connection};
use super::now;
use super::pool::Lease;
use crate::error::Error;

const RAISE_SQLITE: &str = "INSERT INTO account (user_id, revision, created_at) VALUES ($1, 1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET revision = account.revision + 1 RETURNING revision, $2, 0";

// The clock is read after the row's lock was waited for: one user's instants then never go back.
const RAISE_POSTGRES: &str = "INSERT INTO account (user_id, revision, created_at) VALUES ($1, 1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET revision = account.revision + 1 \
    RETURNING revision, clock_timestamp(), txid_current()";

/// What became of a transaction.
const STATUS: &str = "SELECT txid_status($1)";

/// After a fail-over a transaction's number may be another one's, which the revision tells. It is read once the
/// transaction is over: a statement that began before does not see it.
const REVISION: &str = "SELECT revision FROM account WHERE user_id = $1";

/// A transaction in which `revision` is the user's own. Dropping it takes it back.
#[derive(Debug)]
pub struct Write {
    connection: Lease,
    user: String,
    /// PostgreSQL's number of the transaction.
    id: i64,
    /// What the user's revision was raised to; goes into every row that is touched.
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

/// A commit whose answer was lost.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    user: String,
    id: i64,
    revision: i64,
    pub(super) cause: String,
}

impl Write {
    /// Begins a transaction by raising `user`'s revision, which locks the account's row.
    pub(super) async fn begin(connection: Lease, user: &str) -> Result<Self, Error> {
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
        let (revision, id) = (row.try_get_by_index(0)?, row.try_get_by_index(2)?);
        let now = row.try_get_by_index::<DateTime<Utc>>(1)?.trunc_subsecs(3);
        Ok(Self { connection, user: user.to_owned(), id, revision, now })
    }

    /// Commits. If the answer is lost, says how to ask for it.
    pub(super) async fn commit(self) -> Result<Result<(), Unanswered>, Error> {
        match self.connection.commit().await {
            Commit::Done => Ok(Ok(())),
            Commit::Failed(error) => Err(error.into()),
            Commit::Unknown(error) => Ok(Err(Unanswered {
                user: self.user,
                id: self.id,
                revision: self.revision,
                cause: error.to_string(),
            })),
        }
    }

    pub(super) async fn roll_back(self) {
        self.connection.roll_back().await;
    }
}

impl Unanswered {
    /// Whether the transaction is committed; `None` while the database is at it.
    pub(super) async fn ask(&self, connection: &Connection) -> Result<Option<bool>, DbErr> {
        let statement = |sql, value: Value| Statement::from_sql_and_values(DbBackend::Postgres, sql, [value]);
        let row = match connection.query_one_raw(statement(STATUS, Value::from(self.id))).await {
            // Nobody has had such a number yet: after a fail-over it was lost with the transaction.
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
