//! Deleting old receipts of requests with idempotency keys.
//!
//! Any server does it, and several at once do no harm. Each batch is small and a transaction of its own, so no request
//! waits for long.

use std::time::Duration;

use sea_orm::{DbBackend, Statement, Value};
use tokio_util::sync::CancellationToken;

use crate::background;
use crate::database::{Database, now};
use crate::error::Error;

// Rows are found by their row id, so that only the index by age and the rows themselves are read.
const DELETE_SQLITE: &str = "
DELETE FROM receipt WHERE rowid IN (
    SELECT rowid FROM receipt WHERE created_at < $1 ORDER BY created_at LIMIT 200
) RETURNING 1";

// `now()` is constant during a transaction, which the search in an index requires; `clock_timestamp()` is not.
const DELETE_POSTGRES: &str = "
DELETE FROM receipt WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM receipt WHERE created_at < now() - $1 * interval '1 millisecond'
    ORDER BY created_at LIMIT 200 FOR UPDATE SKIP LOCKED
)) RETURNING 1";

/// When receipts are deleted.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a receipt is kept.
    pub keep: Duration,
    /// How often old receipts are looked for.
    pub period: Duration,
}

/// Deletes old receipts every `period` until `shutdown`.
pub fn start(database: Database, options: Options, shutdown: CancellationToken) {
    background::repeat(options.period, shutdown, move || {
        let database = database.clone();
        async move { delete_old(&database, options.keep).await }
    });
}

/// Deletes some receipts that are older than `keep`. Returns whether there were any.
async fn delete_old(database: &Database, keep: Duration) -> Result<bool, Error> {
    let (sql, value) = match database.backend() {
        DbBackend::Postgres => {
            (DELETE_POSTGRES, Value::from(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX)))
        }
        _ => (DELETE_SQLITE, Value::from(now() - keep)),
    };
    let delete = Statement::from_sql_and_values(database.backend(), sql, [value]);
    Ok(database.update(delete).await?.is_some())
}
