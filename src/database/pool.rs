//! A pool of connections.
//!
//! The driver's own pool pings and closes connections without a time limit, and keeps their permits meanwhile. Here a
//! connection on which nothing is running is returned at once. Otherwise its permits are held until the running
//! statement has ended.

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
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use super::canceller::Canceller;
use super::connection::{ANSWER_TIMEOUT, Connection, Observer};
use crate::concurrency::Permit;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2500);

/// How many connections are opened at once. A database that is overloaded divides its time among all attempts, also those
/// that were given up: too many of them would make each take longer than it may, for ever.
const CONNECTING: usize = 4;

/// A connection that was idle for longer is pinged before it is used.
const PING_AFTER: Duration = Duration::from_secs(1);

/// How old a connection to PostgreSQL may be: its memory only grows, and the address may resolve to another machine by
/// now.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// What connections are opened with.
pub(super) enum Source {
    Postgres { options: PgConnectOptions, canceller: Canceller },
    Sqlite(SqliteConnectOptions),
}

/// A pool with a fixed number of permits; each open connection in use holds one.
pub(super) struct Pool {
    source: Source,
    /// What the names of its connections begin with.
    name: String,
    opened: AtomicU64,
    permits: Arc<Semaphore>,
    connecting: Semaphore,
    idle: Mutex<Vec<(Box<Connection>, Instant)>>,
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
        Self {
            source,
            name,
            opened: AtomicU64::default(),
            permits,
            connecting: Semaphore::new(CONNECTING),
            idle: Mutex::default(),
            observer,
        }
    }

    /// Waits for a connection. `permit` is held until every statement that is begun on it has ended.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        permit: Option<Arc<Permit>>,
    ) -> Result<PooledConnection, DbErr> {
        let own = self.permits.clone().acquire_owned().await.map_err(closed)?;
        let connection = match self.idle_connection().await {
            Some(connection) => connection,
            None => Box::new(self.open().await?),
        };
        Ok(PooledConnection {
            connection: Some(connection),
            permits: Some((own, permit)),
            pool: self.clone(),
        })
    }

    async fn idle_connection(&self) -> Option<Box<Connection>> {
        loop {
            let (connection, since) = self.lock().pop()?;
            if connection.age() > MAX_LIFETIME && matches!(self.source, Source::Postgres { .. }) {
                tokio::spawn(connection.close());
            } else if since.elapsed() < PING_AFTER || connection.is_alive().await {
                return Some(connection);
            } else {
                // The other idle connections are most likely lost, too: pinging each of them would take too long.
                self.lock().clear();
            }
        }
    }

    async fn open(&self) -> Result<Connection, DbErr> {
        let error = |error: SqlxError| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
        let _turn = self.connecting.acquire().await.map_err(closed)?;
        match &self.source {
            Source::Postgres { options, .. } => {
                let number = self.opened.fetch_add(1, Ordering::Relaxed);
                let name = format!("{}-{number}", self.name);
                let options = options.clone().application_name(&name);
                let driver = timeout(CONNECT_TIMEOUT, options.connect()).await;
                let driver = driver.unwrap_or_else(|_| Err(SqlxError::PoolTimedOut)).map_err(error)?;
                Ok(Connection::postgres(driver, name, self.observer.clone()))
            }
            Source::Sqlite(options) => {
                let driver = options.connect().await.map_err(error)?;
                Connection::sqlite(driver, self.observer.clone()).await.map_err(error)
            }
        }
    }

    /// Makes `connection` available to other callers if it is clean, and closes it otherwise.
    fn put_back(&self, connection: Box<Connection>) {
        if connection.is_clean() && !self.permits.is_closed() {
            self.lock().push((connection, Instant::now()));
        }
    }

    /// Cancels what is running on `connection`, and puts it back. The database ends it by `latest_end` in any case.
    async fn clean_up(&self, connection: Box<Connection>, latest_end: Instant) {
        match &self.source {
            // The running statement may be the commit. It must not be cancelled: PostgreSQL would then report a commit
            // that waits for a standby as done. The database notices that the connection is closed.
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
                    // The statement may still be running; the database has ended it by then.
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

    /// Closes the idle connections, and gives out no more.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.lock());
        join_all(idle.into_iter().map(|(connection, _)| connection.close())).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Box<Connection>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed(_: AcquireError) -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)
}

/// A connection in use. Dropping it returns it to the pool once nothing runs on it any more.
#[derive(Debug)]
pub(super) struct PooledConnection {
    connection: Option<Box<Connection>>,
    permits: Option<(OwnedSemaphorePermit, Option<Arc<Permit>>)>,
    pool: Arc<Pool>,
}

impl Deref for PooledConnection {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "it is taken out only by `drop`")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a connection that is in use")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let permits = self.permits.take();
        if connection.is_broken() || !(connection.is_running() || connection.is_in_transaction()) {
            self.pool.put_back(connection);
            return;
        }
        // SQLite is interrupted at once, before the task runs.
        connection.interrupt();
        let latest_end = Instant::now() + ANSWER_TIMEOUT;
        // Without a runtime the process is about to exit.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let pool = self.pool.clone();
            runtime.spawn(async move {
                pool.clean_up(connection, latest_end).await;
                drop(permits);
            });
        }
    }
}
