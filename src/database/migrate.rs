//! Bringing the database's schema to what this binary needs.

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use super::{Database, PATIENCE, run_detached, within};
use crate::error::Error;

/// Any number that nothing else uses as an advisory lock.
const ADVISORY_LOCK: i64 = 0x0063_6175_7365_7269;

/// The steps, and which of them the database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrations {
    /// Each step's name, and whether it is applied; in order.
    pub steps: Vec<(String, bool)>,
}

impl Migrations {
    /// Whether every step is applied.
    #[must_use]
    pub fn are_complete(&self) -> bool {
        self.steps.iter().all(|(_, applied)| *applied)
    }
}

impl Database {
    /// Applies what is missing. Servers that start together do it one after another, each in one transaction:
    /// the first one works, the others then find nothing to do.
    ///
    /// # Errors
    /// If the database is newer than this binary, or cannot be reached.
    pub async fn migrate_up(&self) -> Result<(), Error> {
        let database = self.clone();
        run_detached(async move {
            let transaction = database.begin_alone().await?;
            Migrator::up(&transaction, None).await.map_err(explain)?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Takes the last `steps` steps back, with all that they hold.
    pub async fn migrate_down(&self, steps: u32) -> Result<(), Error> {
        let database = self.clone();
        run_detached(async move {
            let transaction = database.begin_alone().await?;
            Migrator::down(&transaction, Some(steps)).await.map_err(explain)?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Tells which steps are applied; writes nothing.
    ///
    /// # Errors
    /// If the database is newer than this binary, or cannot be reached.
    pub async fn migrations(&self) -> Result<Migrations, Error> {
        within(PATIENCE, async {
            let steps = Migrator::get_migration_with_status_read_only(&self.writer).await.map_err(explain)?;
            let applied = |step: &migration::Migration| step.status() == migration::MigrationStatus::Applied;
            Ok(Migrations {
                steps: steps.iter().map(|step| (step.name().to_owned(), applied(step))).collect(),
            })
        })
        .await
    }

    async fn begin_alone(&self) -> Result<DatabaseTransaction, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.writer.begin_with_options(options).await?;
        if self.backend() == DbBackend::Postgres {
            transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")).await?;
        }
        Ok(transaction)
    }
}

fn explain(error: DbErr) -> Error {
    match error {
        // The library's only error of this kind: a step was applied that this binary does not have.
        DbErr::Custom(_) => Error::Internal("the database is newer than this version of causerie".to_owned()),
        error => error.into(),
    }
}
