//! The schema of the database, one file a step.
//!
//! A step is plain SQL that SQLite and PostgreSQL both understand, with the few types that they spell
//! differently filled in by [`dialect`]. Steps import nothing from the server, so that history cannot
//! change under them.
//!
//! A step that only adds to the schema lets servers of the version before it go on, and says so: it inserts its own
//! name into `schema_version`, beside that of the earliest step whose servers can serve the database with it, and its
//! `down` deletes that row. A step without a row stops servers that do not know it: so does every step that drops,
//! renames or forbids what they read or write.

mod applied;
mod dialect;
mod m20261120_000001_conversations;
mod m20261120_000002_search;
mod m20261121_000002_schema_version;
mod m20261121_000003_search_retries;
mod m20261121_000004_restorations;

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
            Box::new(m20261121_000002_schema_version::Migration),
            Box::new(m20261121_000003_search_retries::Migration),
            Box::new(m20261121_000004_restorations::Migration),
        ]
    }
}
