//! The schema of the database, one file for each step.
//!
//! A step is plain SQL for SQLite and PostgreSQL; [`dialect`] fills in the few types that they spell differently. Steps
//! import nothing from the server, so a change of the server never changes what an old step does.
//!
//! Servers of the version before can keep running after a step that only adds to the schema. Such a step says so: its
//! `up` inserts its name into `schema_version` with the earliest step whose servers can serve the database, and its
//! `down` deletes that row. A step without a row, such as one that drops or renames a column, stops the servers that do
//! not know it.

mod applied;
mod dialect;
mod m20261120_000001_conversations;
mod m20261120_000002_search;
mod m20261120_000004_usage;

pub use sea_orm_migration::MigratorTrait;

pub use self::applied::Applied;

/// All steps, in order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_conversations::Migration),
            Box::new(m20261120_000002_search::Migration),
            Box::new(m20261120_000004_usage::Migration),
        ]
    }
}
