//! Usual writes are one statement on PostgreSQL, and no different from the transactions that they stand for.

mod contention;
mod lost;
mod revision_gate;
mod same_rows;
mod shared;

use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::support::TestDatabase;

/// Counts the writes in one statement that have begun, and wait.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%WITH seen%'";

/// A connection that can hold writes up after they have begun, and before they lock anything: a statement sees the rows as
/// they were then.
async fn holder(database: &TestDatabase) -> DatabaseConnection {
    let trigger = "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
        CREATE TRIGGER hold BEFORE UPDATE ON account FOR EACH STATEMENT EXECUTE FUNCTION hold()";
    database.raw().await.execute_unprepared(trigger).await.unwrap();
    // Its only connection is the one that holds.
    database.raw().await
}

/// Holds writes up until the transaction ends that this begins.
async fn hold(holder: &DatabaseConnection) {
    holder.execute_unprepared("BEGIN; SELECT pg_advisory_xact_lock(1)").await.unwrap();
}
