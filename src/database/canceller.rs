//! Ending statements of PostgreSQL whose callers are gone.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions, PgConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a cancellation may take, connecting included.
const TIMEOUT: Duration = Duration::from_secs(1);

/// By its name and not by its process: behind a pooler, that process may serve somebody else by now.
const CANCEL: &str = "
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'";

/// A connection of its own, so that a pool whose connections are all busy can be freed. It is made when it is needed.
pub(super) struct Canceller {
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl Canceller {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: Mutex::default() }
    }

    /// Has the database end what it is running for the connection `name`. It may be over already.
    pub(super) async fn cancel(&self, name: &str) {
        let cancel = async {
            let mut slot = self.connection.lock().await;
            // One that fails, or is given up half-way, is not put back.
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
