//! Bringing the database's schema to what this binary needs.

use std::time::Duration;

use migration::{Applied, Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::time::sleep;

use super::{Database, PATIENCE, within};
use crate::error::Error;

/// Any number that nothing else uses as an advisory lock.
const ADVISORY_LOCK: i64 = 0x0063_6175_7365_7269;

/// How long to wait before looking again whether another server has migrated.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

impl Database {
    /// Applies what is missing. Servers that start together do it one after another, each in one transaction:
    /// the first one works, the others then find nothing to do. A newer database that this binary can serve is left
    /// as it is.
    ///
    /// # Errors
    /// [`Error::Internal`] if the database is too new for this binary; [`Error::Unavailable`] if it cannot be reached.
    pub async fn migrate_up(&self) -> Result<(), Error> {
        let database = self.clone();
        self.run_detached(|_| async move {
            let transaction = database.begin_alone().await?;
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

    /// Takes the last `steps` steps back, with all that they hold.
    ///
    /// # Errors
    /// As [`Database::migrate_up`], and [`Error::Internal`] if the database is newer: only the version that has a step
    /// can take it back.
    pub async fn migrate_down(&self, steps: u32) -> Result<(), Error> {
        let database = self.clone();
        self.run_detached(|_| async move {
            let transaction = database.begin_alone().await?;
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

    /// Tells which steps are applied; writes nothing, and on SQLite waits for no write.
    ///
    /// # Errors
    /// As [`Database::migrate_up`].
    pub async fn migrations(&self) -> Result<Applied, Error> {
        compatible(self.read(|connection| Box::pin(Applied::read(connection))).await?)
    }

    /// Begins a transaction beside which no other server migrates.
    async fn begin_alone(&self) -> Result<DatabaseTransaction, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let connection = self.connect_to_migrate().await?;
        let mut waits = false;
        loop {
            let transaction = within(PATIENCE, async {
                let transaction = connection.begin_with_options(options).await?;
                let alone = self.backend() != DbBackend::Postgres || lock(&transaction).await?;
                Ok(alone.then_some(transaction))
            });
            if let Some(transaction) = transaction.await? {
                return Ok(transaction);
            }
            if !std::mem::replace(&mut waits, true) {
                tracing::info!("another server migrates the database: waiting for it");
            }
            sleep(LOCK_PAUSE).await;
        }
    }
}

/// Takes the lock that servers migrate under, if it is free. Not waited for in the database: who waits there for a
/// machine that has vanished would never know. Statements may then take as long as large tables need.
async fn lock(transaction: &DatabaseTransaction) -> Result<bool, Error> {
    transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    let lock = format!("SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})");
    let row = transaction.query_one_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false))
}

/// `applied`, if this binary can serve such a database.
fn compatible(applied: Applied) -> Result<Applied, Error> {
    match applied.newer.iter().find(|(_, compatible)| !compatible) {
        None => Ok(applied),
        Some((step, _)) => Err(Error::Internal(format!(
            "the database is newer than this version of causerie, which cannot serve one with {step}"
        ))),
    }
}
