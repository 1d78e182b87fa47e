//! Keeping PostgreSQL's statistics of young tables up to date.
//!
//! A plan that is made while a table is empty stays with its connection, and so do the plans of foreign keys. All
//! indexes of an empty table cost the same: PostgreSQL may then look up each inserted row in one that lists all of the
//! user's rows. `ANALYZE` makes every connection plan anew. Autovacuum runs it as well, but only after a minute or
//! more, and not on every database.

use std::time::Duration;

use sea_orm::{DbBackend, Statement};
use tokio_util::sync::CancellationToken;

use super::Database;
use crate::background;
use crate::error::Error;

/// How often the tables are checked.
pub const PERIOD: Duration = Duration::from_secs(5);

/// Tables of fewer than 100,000 rows that have doubled since they were last analysed. The plans for larger tables are
/// right, and autovacuum keeps them so.
const DUE: &str = "
SELECT quote_ident(class.relname) FROM pg_stat_user_tables AS stat JOIN pg_class AS class ON class.oid = stat.relid
WHERE class.relnamespace = current_schema()::regnamespace AND pg_has_role(class.relowner, 'USAGE')
    AND class.reltuples < 100000 AND stat.n_live_tup >= greatest(100, 2 * class.reltuples)";

/// Analyses young tables of PostgreSQL every `period` until `shutdown`. SQLite plans without statistics, so nothing is
/// done there.
pub fn keep(database: Database, period: Duration, shutdown: CancellationToken) {
    if database.backend() == DbBackend::Postgres {
        background::repeat(period, shutdown, move || {
            let database = database.clone();
            async move { analyze(&database).await.map(|()| false) }
        });
    }
}

async fn analyze(database: &Database) -> Result<(), Error> {
    let due = Statement::from_string(DbBackend::Postgres, DUE);
    for row in database.rows(due).await? {
        let table: String = row.try_get_by_index(0)?;
        // A table that another server analyses just now needs it only once.
        let analyze = format!("ANALYZE (SKIP_LOCKED) {table}");
        database.update(Statement::from_string(DbBackend::Postgres, analyze)).await?;
    }
    Ok(())
}
