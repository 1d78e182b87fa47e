//! Migrating the schema of the database.

use std::time::Duration;

use migration::{Applied, Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::time::sleep;

use super::Database;
use super::retry::within_timeout;
use crate::error::Error;

/// The number of the advisory lock that servers migrate under; any number that nothing else uses.
const ADVISORY_LOCK: i64 = 0x0063_6175_7365_7269;

/// How long to wait before trying the lock again.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

impl Database {
    /// Applies the missing steps in one transaction. Servers that start together do so one after another, and the later
    /// ones find nothing to do. A newer database that this binary can serve is left as it is.
    ///
    /// # Errors
    /// [`Error::Internal`] if the database is too new for this binary; [`Error::Unavailable`] if it cannot be reached.
    pub async fn migrate_up(&self) -> Result<(), Error> {
        let database = self.clone();
        self.run_detached(false, |_| async move {
            let transaction = database.begin_exclusive().await?;
            let applied = compatible(Applied::read(&transaction).await?)?;
            if applied.newer.is_empty() {
                Migrator::up(&transaction, None).await?;
            } else if !applied.is_complete() {
                return Err(Error::Internal(
                    "the database has steps of another branch of causerie".to_owned(),
                ));
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Reverts the last `steps` steps, and deletes the data in their tables.
    ///
    /// # Errors
    /// As [`Database::migrate_up`], and [`Error::Internal`] if the database is newer: only a version that knows a step
    /// can revert it.
    pub async fn migrate_down(&self, steps: u32) -> Result<(), Error> {
        let database = self.clone();
        self.run_detached(false, |_| async move {
            let transaction = database.begin_exclusive().await?;
            let applied = compatible(Applied::read(&transaction).await?)?;
            if let Some((step, _)) = applied.newer.last() {
                return Err(Error::Internal(format!(
                    "the database is newer than this version of causerie: take {step} back with the one that has it"
                )));
            }
            Migrator::down(&transaction, Some(steps)).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Reads which steps are applied. It writes nothing, and on SQLite waits for no write.
    ///
    /// # Errors
    /// As [`Database::migrate_up`].
    pub async fn migrations(&self) -> Result<Applied, Error> {
        compatible(self.read(|connection| Box::pin(Applied::read(connection))).await?)
    }

    /// Begins a transaction while no other server migrates.
    async fn begin_exclusive(&self) -> Result<DatabaseTransaction, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let connection = self.connect_to_migrate().await?;
        let mut waiting = false;
        loop {
            let transaction = within_timeout(async {
                let transaction = connection.begin_with_options(options).await?;
                let locked = self.backend() != DbBackend::Postgres || lock(&transaction).await?;
                Ok(locked.then_some(transaction))
            });
            if let Some(transaction) = transaction.await? {
                return Ok(transaction);
            }
            if !std::mem::replace(&mut waiting, true) {
                tracing::info!("waiting for another server that migrates the database");
            }
            sleep(LOCK_PAUSE).await;
        }
    }
}

/// Takes the lock that servers migrate under, if it is free, and lifts the statement timeout. It does not wait: waiting
/// in the database for a machine that has vanished might never end.
async fn lock(transaction: &DatabaseTransaction) -> Result<bool, Error> {
    transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    let lock = format!("SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})");
    let row = transaction.query_one_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false))
}

/// Returns `applied` if this binary can serve such a database.
fn compatible(applied: Applied) -> Result<Applied, Error> {
    match applied.newer.iter().find(|(_, compatible)| !compatible) {
        None => Ok(applied),
        Some((step, _)) => Err(Error::Internal(format!(
            "the database is newer than this version of causerie, which cannot serve one with {step}"
        ))),
    }
}
