//! Cancelling statements on PostgreSQL whose callers are gone.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions, PgConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a cancellation may take, with connecting.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Cancels by name: behind a pooler the process may serve another client by now.
const CANCEL: &str = "
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'";

/// Cancels on a connection of its own, so that it can free a pool whose connections are all busy. It connects when it
/// is first needed.
pub(super) struct Canceller {
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl Canceller {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: Mutex::default() }
    }

    /// Cancels the statement that runs on the connection `name`, if there is one.
    pub(super) async fn cancel(&self, name: &str) {
        let cancel = async {
            let mut slot = self.connection.lock().await;
            // A connection that fails, or on which a cancellation times out, is not used again.
            let mut connection = match slot.take() {
                Some(connection) => connection,
                None => self.options.connect().await?,
            };
            sqlx::query(CANCEL).bind(name).execute(&mut connection).await?;
            *slot = Some(connection);
            Ok::<_, sqlx::Error>(())
        };
        match timeout(TIMEOUT, cancel).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a statement was not cancelled"),
            Err(_) => tracing::debug!("a statement was not cancelled: no answer"),
        }
    }
}
