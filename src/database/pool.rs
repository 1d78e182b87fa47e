//! Connections that are used in turn.
//!
//! The driver's own pool pings and closes without a time limit, and holds the right to a connection meanwhile. Here
//! a connection is given back without a word if nothing is running on it; otherwise the right to it, and what else
//! its statement counts against, is held until the statement has ended.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use super::canceller::Canceller;
use super::connection::{ANSWER_TIMEOUT, Connection, Observer};
use crate::concurrency::Permit;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2500);

/// After what time without use a connection is asked whether the database is still there.
const IDLE: Duration = Duration::from_secs(1);

/// How long a connection to PostgreSQL is used before another one takes its place: its memory only grows, and the
/// address may have come to mean another machine.
const LIFE: Duration = Duration::from_mins(30);

/// Where connections come from.
pub(super) enum Source {
    Postgres { options: PgConnectOptions, canceller: Canceller },
    Sqlite(SqliteConnectOptions),
}

/// Connections, at most so many at once.
pub(super) struct Pool {
    source: Source,
    /// Begins the names of its connections.
    name: String,
    opened: AtomicU64,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<(Connection, Instant)>>,
    observer: Observer,
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("permits", &self.permits).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(source: Source, name: String, connections: usize, observer: Observer) -> Self {
        let permits = Arc::new(Semaphore::new(connections));
        Self { source, name, opened: AtomicU64::default(), permits, idle: Mutex::default(), observer }
    }

    /// Waits for a connection. `counts` is held until all that is begun on it has ended.
    pub(super) async fn acquire(self: &Arc<Self>, counts: Option<Arc<Permit>>) -> Result<Lease, DbErr> {
        let closed = |_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        let permit = self.permits.clone().acquire_owned().await.map_err(closed)?;
        let connection = match self.idle_connection().await {
            Some(connection) => connection,
            None => self.open().await?,
        };
        Ok(Lease { connection: Some(connection), held: Some((permit, counts)), pool: self.clone() })
    }

    async fn idle_connection(&self) -> Option<Connection> {
        loop {
            let (connection, since) = self.lock().pop()?;
            if connection.age() > LIFE && matches!(self.source, Source::Postgres { .. }) {
                tokio::spawn(connection.close());
            } else if since.elapsed() < IDLE || connection.is_alive().await {
                return Some(connection);
            } else {
                // Those that rest have met the same fate: nobody is to wait for each of them.
                self.lock().clear();
            }
        }
    }

    async fn open(&self) -> Result<Connection, DbErr> {
        let error = |error: SqlxError| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
        match &self.source {
            Source::Postgres { options, .. } => {
                let number = self.opened.fetch_add(1, Ordering::Relaxed);
                let name = format!("{}-{number}", self.name);
                let options = options.clone().application_name(&name);
                let link = timeout(CONNECT_TIMEOUT, options.connect()).await;
                let link = link.unwrap_or_else(|_| Err(SqlxError::PoolTimedOut)).map_err(error)?;
                Ok(Connection::of_postgres(link, name, self.observer.clone()))
            }
            Source::Sqlite(options) => {
                let link = options.connect().await.map_err(error)?;
                Connection::of_sqlite(link, self.observer.clone()).await.map_err(error)
            }
        }
    }

    /// Takes `connection` back if it is fit for use.
    fn put_back(&self, connection: Connection) {
        if connection.is_clean() && !self.permits.is_closed() {
            self.lock().push((connection, Instant::now()));
        }
    }

    /// Ends what is running on `connection`, and takes it back. The database ends it by `latest_end` in any case.
    async fn clean_up(&self, connection: Connection, latest_end: Instant) {
        match &self.source {
            // It may be the commit that is running: that is not cancelled, as a commit that waits for a standby would
            // then be answered without it. The database finds that nobody listens.
            Source::Postgres { .. } if connection.is_in_transaction() => {
                let running = connection.is_running();
                drop(connection);
                if running {
                    sleep_until(latest_end).await;
                }
                return;
            }
            Source::Postgres { canceller, .. } => {
                canceller.cancel(connection.name()).await;
                if !connection.is_alive().await {
                    // Nobody knows whether it has ended: the database sees to it by then.
                    drop(connection);
                    sleep_until(latest_end).await;
                    return;
                }
            }
            Source::Sqlite(_) => {
                connection.interrupt();
                if connection.is_alive().await && connection.is_in_transaction() {
                    connection.roll_back().await;
                }
            }
        }
        self.put_back(connection);
    }

    /// Gives out no connection any more, and closes those that are not in use.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.lock());
        join_all(idle.into_iter().map(|(connection, _)| connection.close())).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is in use, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Option<Connection>,
    held: Option<(OwnedSemaphorePermit, Option<Arc<Permit>>)>,
    pool: Arc<Pool>,
}

impl Deref for Lease {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "it is taken out only when the lease is dropped")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a lease has its connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let held = self.held.take();
        if connection.is_broken() || !(connection.is_running() || connection.is_in_transaction()) {
            self.pool.put_back(connection);
            return;
        }
        // SQLite does not wait for the task to begin.
        connection.interrupt();
        let latest_end = Instant::now() + ANSWER_TIMEOUT;
        // Without a runtime the process is at its end.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let pool = self.pool.clone();
            runtime.spawn(async move {
                pool.clean_up(connection, latest_end).await;
                drop(held);
            });
        }
    }
}
