//! Usual writes as one statement.
//!
//! A transaction takes a round trip for each of its statements. On PostgreSQL a write that meets nothing unusual can be
//! part of one statement, which is a transaction by itself. Such a statement writes only if the account's row is as it
//! was when the statement began, and locks it: no write of the user can have come in between then.
//!
//! A send and the end of its reply take two statements with the prompt, in place of 18 round trips, and share them with
//! those of other users: see [`super::batch`].

use std::time::Duration;

use sea_orm::{QueryResult, Value};

use super::Database;
use super::batch::Done;
use super::connection::ANSWER_TIMEOUT;
use crate::error::Error;

/// How long a write in one statement waits for its turn and a connection. A statement that began later could still be
/// committed after its request has failed.
pub(super) const TURN_TIMEOUT: Duration = Duration::from_millis(250);

/// After how long the answer to a write in one statement is lost: a database that is reachable has ended it by then.
pub(super) const FAST_TIMEOUT: Duration = TURN_TIMEOUT.saturating_add(ANSWER_TIMEOUT);

/// The common table expressions by which such a statement raises the revisions of the users in `due`, which has their
/// `user_id` and the `seen_revision`: `free`, those whose accounts nobody else has locked and are as the statement sees
/// them, and `raised`, their next revisions and the time.
pub(crate) fn raise_revisions(due: &str) -> String {
    format!(
        "free AS MATERIALIZED (
    SELECT user_id FROM {due} CROSS JOIN LATERAL (
        SELECT revision FROM account WHERE user_id = {due}.user_id FOR NO KEY UPDATE SKIP LOCKED
    ) AS locked
    WHERE locked.revision = {due}.seen_revision
), raised AS (
    UPDATE account SET revision = account.revision + 1 FROM free WHERE account.user_id = free.user_id
    RETURNING account.user_id, account.revision, date_trunc('milliseconds', clock_timestamp()) AS now
)"
    )
}

/// A write as part of one statement, for PostgreSQL.
pub(crate) struct FastPath<T> {
    /// The statement.
    pub(crate) statement: BatchStatement,
    /// What is written, as a JSON object with the user as `user_id`.
    pub(crate) row: String,
    /// Makes the answer out of the row that the statement returns. It is called once, after the commit.
    pub(crate) finish: Finish<T>,
}

/// A statement that does writes of different users.
///
/// Its `$1` is a JSON array with a row of each write. It raises the revision of each user whose write is usual, and
/// returns a row with their `user_id` when all of that is written. Of the others it returns none, and has written nothing
/// that matters. It waits for no lock of an account.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BatchStatement {
    /// The text.
    pub(crate) sql: String,
    /// The values from `$2` on, which all of the writes have in common.
    pub(crate) values: Vec<Value>,
}

type Finish<T> = Box<dyn FnOnce(&QueryResult) -> Result<T, Error> + Send>;

/// What became of a write as part of one statement.
pub(super) enum FastOutcome<T> {
    Written(Result<T, Error>),
    /// Nothing was written.
    Nothing,
    /// The answer was lost.
    Uncertain,
}

impl Database {
    /// Writes by `path`, within [`FAST_TIMEOUT`]. If its turn does not come soon, nothing is written.
    pub(super) async fn write_by<T>(&self, user: &str, path: FastPath<T>) -> FastOutcome<T> {
        match self.write_in_batch(user, path.statement, path.row).await {
            Done::Written(row) => FastOutcome::Written((path.finish)(&row)),
            Done::Nothing => FastOutcome::Nothing,
            Done::Lost => FastOutcome::Uncertain,
        }
    }
}
