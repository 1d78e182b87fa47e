//! Telling PostgreSQL how large young tables are.
//!
//! A plan that is made while a table is empty stays with its connection, and so do the plans of foreign keys. All indexes of an empty table look alike: of those that begin with the user, PostgreSQL takes one
//! that lists all of the user's rows, for each row that is inserted. `ANALYZE` makes every connection plan anew; the
//! autovacuum runs it too, but only after a minute or more, and not on every database.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio_util::sync::CancellationToken;

use super::Database;
use crate::background;
use crate::error::Error;

/// How often to look.
pub const PERIOD: Duration = Duration::from_secs(5);

/// Young tables that have doubled since they were last analysed, if that was ever. From some 100,000 rows on the
/// plans are right, and larger tables are the autovacuum's.
const DUE: &str = "
SELECT quote_ident(class.relname) FROM pg_stat_user_tables AS stat JOIN pg_class AS class ON class.oid = stat.relid
WHERE class.relnamespace = current_schema()::regnamespace AND pg_has_role(class.relowner, 'USAGE')
    AND class.reltuples < 100000 AND stat.n_live_tup >= greatest(100, 2 * class.reltuples)";

/// Keeps the statistics of PostgreSQL's young tables true until `shutdown`; does nothing on SQLite, which makes its
/// plans without.
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
    let rows = database.read(|connection| Box::pin(connection.query_all_raw(due.clone()))).await?;
    for row in rows {
        let table: String = row.try_get_by_index(0)?;
        // Another server that is at it does it for all.
        let analyze = format!("ANALYZE (SKIP_LOCKED) {table}");
        database.update(Statement::from_string(DbBackend::Postgres, analyze)).await?;
    }
    Ok(())
}
