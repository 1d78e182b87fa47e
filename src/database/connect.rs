//! Opening a database: its pools and the settings of their connections.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxError};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::canceller::Canceller;
use super::connection::{Observer, STATEMENT_TIMEOUT};
use super::pool::{Pool, Source};
use super::retry::RETRY_PAUSE;
use super::sqlite_reader::SqliteReader;
use super::wal_checkpoint::COMMIT_PAGES;
use super::{Address, Database, OPERATION_TIMEOUT};
use crate::concurrency::ConcurrencyLimit;
use crate::error::is_locked;
use crate::rest::HeavyWork;

/// How long PostgreSQL keeps an idle transaction open, and with it the lock on its user's account row. It bounds how
/// long a server that froze, or whose machine vanished, holds up the user's other writes; a live server pauses for
/// milliseconds.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(3);

/// How many rows a statement on SQLite may be ahead of who reads them: those of a page, so that its thread need not wait for
/// the other one in the middle.
const BUFFERED_ROWS: usize = 256;

/// How much the connection that writes keeps of the file, in units of -1 KiB: a send changes some 60 pages in all of the file.
const WRITER_CACHE: &str = "-8192";

/// One user's reads use at most one connection in this many, and so do all expensive reads together.
const CONNECTION_SHARE: u32 = 4;

impl Database {
    /// Prepares pools of at most `connections` connections to `address`. On PostgreSQL the first use connects; on
    /// SQLite the file is created here.
    ///
    /// On SQLite one connection writes and the others read: the file allows one writer at a time, and readers of the
    /// write-ahead log never wait for it.
    pub async fn connect(address: Address, connections: u32) -> Result<Self, DbErr> {
        let observer = Observer::default();
        let (readers, writers, sqlite_reader) = if address.backend() == DbBackend::Sqlite {
            let options = sqlite_options(address.url().parse().map_err(connection_error)?);
            let options = options.disable_statement_logging();
            let pool = |options, connections| {
                Pool::new(Source::Sqlite(options), String::new(), connections, observer.clone())
            };
            let writing = options
                .clone()
                .create_if_missing(true)
                // Otherwise each savepoint makes and removes a file for what it may take back.
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", WRITER_CACHE)
                .pragma("wal_autocheckpoint", COMMIT_PAGES);
            let writers = Arc::new(pool(writing, 1));
            create_file(&writers).await?;
            let readers = usize::try_from(connections.max(2) - 1).unwrap_or(usize::MAX);
            let file = options.get_filename().to_owned();
            let readers = Arc::new(pool(options.create_if_missing(false).read_only(true), readers));
            (readers, writers, Some(Arc::new(SqliteReader::new(file, observer.clone()))))
        } else {
            let options = postgres_options(&address)?;
            let id = Uuid::now_v7().simple().to_string();
            let name = format!("causerie {}", id.get(20..).unwrap_or_default());
            let canceller = Canceller::new(options.clone().application_name(&format!("{name} canceller")));
            let source = Source::Postgres { options, canceller };
            let connections = usize::try_from(connections.max(1)).unwrap_or(usize::MAX);
            let pool = Arc::new(Pool::new(source, name, connections, observer.clone()));
            (pool.clone(), pool, None)
        };
        let heavy_work: Arc<HeavyWork> = Arc::default();
        let share = usize::try_from(connections / CONNECTION_SHARE).unwrap_or(1);
        Ok(Self {
            readers,
            writers,
            sqlite_reader,
            queues: Arc::default(),
            group: Arc::default(),
            batches: Arc::default(),
            reads: Arc::new(ConcurrencyLimit::new(share.max(2), None)),
            expensive_reads: Arc::new(
                ConcurrencyLimit::new(1, Some(share.max(1))).with_rest(heavy_work.clone()),
            ),
            heavy_work,
            tasks: TaskTracker::new(),
            observer,
            address: Arc::new(address),
        })
    }

    /// Opens a connection without statement timeouts, to change the schema.
    pub(super) async fn connect_to_migrate(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(self.address.url());
        options
            .max_connections(1)
            .acquire_timeout(OPERATION_TIMEOUT)
            .connect_timeout(OPERATION_TIMEOUT)
            // With either of these, sqlx 0.9 runs a task that checks idle connections. It counts them without a lock;
            // if a connection is returned and taken in the same instant, the count wraps below zero, and the task spins
            // and takes connections away for ever.
            .idle_timeout(None)
            .max_lifetime(None)
            .sqlx_logging(false)
            .set_application_name("causerie migrate")
            .map_sqlx_postgres_opts(|options| options.options([("client_min_messages", "warning")]))
            .map_sqlx_sqlite_opts(|options| sqlite_options(options).create_if_missing(true));
        sea_orm::Database::connect(options).await
    }
}

fn postgres_options(address: &Address) -> Result<PgConnectOptions, DbErr> {
    let options: PgConnectOptions = address.url().parse().map_err(connection_error)?;
    Ok(options.disable_statement_logging().options([
        // PostgreSQL would send a notice at each start that there is nothing to migrate.
        ("client_min_messages", "warning".to_owned()),
        // Statements are the same again and again, and each plan is held to be good for all values. Otherwise the first five
        // times on each connection have a plan of their own, which for a send takes longer than to carry it out.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT.as_millis().to_string()),
        ("statement_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
    ]))
}

fn sqlite_options(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(OPERATION_TIMEOUT)
        .row_buffer_size(BUFFERED_ROWS)
}

fn connection_error(error: SqlxError) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// Creates the SQLite file, and tries again while another server is creating it: SQLite does not wait for a lock to set
/// the journal mode.
async fn create_file(writers: &Arc<Pool>) -> Result<(), DbErr> {
    let deadline = Instant::now() + OPERATION_TIMEOUT;
    loop {
        match writers.acquire(None).await {
            Err(error) if is_locked(&error) && Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            result => return result.map(drop),
        }
    }
}
