//! Usual writes as one statement.
//!
//! A transaction takes a round trip for each of its statements. On PostgreSQL a write that meets nothing unusual can be
//! one statement, which is a transaction by itself. Such a statement sees the rows as they were before it waited for the
//! lock of the account: it writes only if the revision that it raises is the next one after that which it sees, as no
//! write of the user can have come in between then.
//!
//! A send and the end of its reply take 3 statements with the reading of the prompt, in place of 18 round trips: 0.57 of
//! PostgreSQL's CPU and 0.53 of the server's, at 16 senders.

use std::time::Duration;

use sea_orm::{QueryResult, Statement};
use tokio::time::timeout;

use super::Database;
use super::connection::ANSWER_TIMEOUT;
use crate::error::Error;

/// How long a write in one statement waits for a connection. A statement that began later could still be committed after
/// its request has failed.
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(250);

/// After how long the answer to a write in one statement is lost: a database that is reachable has ended it by then.
pub(super) const FAST_TIMEOUT: Duration = CONNECTION_TIMEOUT.saturating_add(ANSWER_TIMEOUT);

/// A write as one statement, for PostgreSQL.
pub(crate) struct FastPath<T> {
    /// Raises the user's revision. It returns a row if it has written all, and none if something is unusual; it has
    /// written nothing then.
    pub(crate) statement: Statement,
    /// Makes the answer out of the row. It is called once, after the commit.
    pub(crate) finish: Finish<T>,
}

type Finish<T> = Box<dyn FnOnce(&QueryResult) -> Result<T, Error> + Send>;

/// What became of a write as one statement.
pub(super) enum FastOutcome<T> {
    Written(Result<T, Error>),
    /// Nothing was written.
    Nothing,
    /// The answer was lost.
    Uncertain,
}

impl Database {
    /// Writes by `path`, within [`FAST_TIMEOUT`]. If a connection does not come soon, nothing is written.
    pub(super) async fn write_by<T>(&self, path: FastPath<T>) -> FastOutcome<T> {
        let Ok(Ok(connection)) = timeout(CONNECTION_TIMEOUT, self.writers.acquire(None)).await else {
            return FastOutcome::Nothing;
        };
        match connection.transaction_of(path.statement).await {
            Ok(Some(row)) => {
                drop(connection);
                FastOutcome::Written((path.finish)(&row))
            }
            Ok(None) => FastOutcome::Nothing,
            Err(_) if connection.is_running() || connection.is_broken() => FastOutcome::Uncertain,
            Err(error) => {
                // The transaction would hide that the statement is at fault.
                if let error @ Error::Internal(_) = Error::from(error) {
                    error.log();
                }
                FastOutcome::Nothing
            }
        }
    }
}
