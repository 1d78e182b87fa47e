//! Connecting to the database, and migrating it.

use std::time::Duration;

use causerie::config::Direction;
use causerie::database::{Address, Database};
use causerie::error::Error;
use tokio::time::sleep;

use super::print;

/// How long to wait before a database that is away, or not migrated, is looked at again.
const PREPARE_PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn connect(address: Address, connections: u32) -> Result<Database, String> {
    let name = address.to_string();
    Database::connect(address, connections).await.map_err(|error| format!("cannot open {name}: {error}"))
}

/// Brings the database to what this binary needs, or waits until somebody else has, and then calls `announce`. A database
/// that is away is waited for, and announced at once. One that refuses this server, or is too new for it, is not waited
/// for: the error is one line for the operator.
pub(super) async fn prepare(
    database: &Database,
    no_migrate: bool,
    announce: impl Fn() -> Result<(), String>,
) -> Result<(), String> {
    let mut announced = false;
    loop {
        let ready = async {
            database.check_reachable().await?;
            if no_migrate {
                return Ok(database.migrations().await?.is_complete());
            }
            database.migrate_up().await.map(|()| true)
        };
        let ready = match ready.await {
            Err(error) if error.is_unavailable() => {
                error.log();
                false
            }
            result => result.map_err(|error| describe(database, &error))?,
        };
        if !std::mem::replace(&mut announced, true) {
            announce()?;
            if !ready {
                tracing::warn!(
                    "waiting for the database: until it is there and migrated, only /healthz is served"
                );
            }
        }
        if ready {
            return Ok(());
        }
        sleep(PREPARE_PAUSE).await;
    }
}

/// Migrates the database, and lists its steps.
pub(super) async fn migrate(address: Address, direction: Direction) -> Result<(), String> {
    let database = connect(address, 2).await?;
    let trouble = |error: Error| describe(&database, &error);
    match direction {
        Direction::Up => database.migrate_up().await.map_err(trouble)?,
        Direction::Down { steps } => database.migrate_down(steps).await.map_err(trouble)?,
        Direction::Status => {}
    }
    let migrations = database.migrations().await.map_err(trouble)?;
    for (name, applied) in &migrations.steps {
        print(&format!("{} {name}\n", if *applied { "applied" } else { "pending" }))?;
    }
    for (name, _) in &migrations.newer {
        print(&format!("applied {name} (of a newer version)\n"))?;
    }
    database.close().await;
    Ok(())
}

pub(super) fn describe(database: &Database, error: &Error) -> String {
    match error {
        Error::Unavailable(cause) | Error::Unreachable(cause) => {
            format!("cannot reach {}: {cause}", database.address())
        }
        Error::Internal(cause) => format!("{}: {cause}", database.address()),
        other => format!("{}: {}", database.address(), other.message()),
    }
}
