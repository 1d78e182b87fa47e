//! Deleting old receipts of requests with idempotency keys.
//!
//! Any server does it, and several at once do no harm. Each batch is small and a transaction of its own, so no request
//! waits for long.

use std::time::Duration;

use clap::Args;
use sea_orm::{DbBackend, Statement, Value};
use tokio_util::sync::CancellationToken;

use crate::background;
use crate::database::{Database, now};
use crate::error::Error;
use crate::options::days;

// Rows are found by their row id, so that only the index by age and the rows themselves are read.
const DELETE_SQLITE: &str = "
DELETE FROM receipt WHERE rowid IN (
    SELECT rowid FROM receipt WHERE created_at < $1 ORDER BY created_at LIMIT 200
) RETURNING 1";

// `now()` is constant during a transaction, which the search in an index requires; `clock_timestamp()` is not. Rows are
// found by their key: a place within a table is one of each partition, if the operator has made some.
const DELETE_POSTGRES: &str = "
WITH old AS MATERIALIZED (
    SELECT user_id, idempotency_key FROM receipt WHERE created_at < now() - $1 * interval '1 millisecond'
    ORDER BY created_at LIMIT 200 FOR UPDATE SKIP LOCKED
)
DELETE FROM receipt USING old
WHERE receipt.user_id = old.user_id AND receipt.idempotency_key = old.idempotency_key RETURNING 1";

/// When receipts are erased.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Conversations")]
#[group(skip)]
pub struct Options {
    /// A request with an idempotency key can be repeated for this many days; then the key stands for a new request.
    #[arg(id = "receipt_days", long = "receipt-days", env = "CAUSERIE_RECEIPT_DAYS", value_name = "NUMBER",
        default_value = "30", value_parser = days(1..=36_500))]
    pub keep: Duration,
    /// How often to look for older ones.
    #[arg(skip = Duration::from_mins(1))]
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
