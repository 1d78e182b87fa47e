//! One connection. Each statement on it has a time limit, and the connection knows whether one is still running.

mod deferred;
mod transaction;

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sea_orm::sqlx::{self, Connection as _, PgConnection, SqliteConnection};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, FromQueryResult, QueryResult, RuntimeErr, SqlxError,
    Statement, Value,
};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use self::deferred::Deferred;
pub(super) use self::transaction::Commit;
use super::driver::{Driver, execution_error};

/// After how long the database itself ends a statement.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long the server waits for a statement. A database that is reachable has ended it by then.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_millis(4500);

/// How long the server waits for what the database does at once.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// How many instructions SQLite runs between two looks at a statement's deadline.
const PROGRESS_INSTRUCTIONS: i32 = 1000;

/// A function that is called with each statement; it can be set once.
#[derive(Clone, Default)]
pub(super) struct Observer(Arc<OnceLock<Observe>>);

type Observe = Box<dyn Fn(&Statement) + Send + Sync>;

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Observer {
    pub(super) fn set(&self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        // The first one stays.
        let _ = self.0.set(Box::new(observer));
    }

    pub(super) fn call(&self, statement: &Statement) {
        if let Some(observer) = self.0.get() {
            observer(statement);
        }
    }
}

/// The instant at which SQLite ends the running statement.
#[derive(Clone, Default)]
struct Deadline(Arc<Mutex<Option<Instant>>>);

impl Deadline {
    fn set(&self, deadline: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    fn has_passed(&self) -> bool {
        let deadline = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// A connection, on which statements run one after another.
pub struct Connection {
    driver: AsyncMutex<Driver>,
    /// The name under which PostgreSQL lists the connection; empty for SQLite.
    name: String,
    observer: Observer,
    deadline: Deadline,
    deferred: Deferred,
    /// Whether a statement was begun that is not known to have ended.
    running: AtomicBool,
    /// Whether a statement of the transaction has failed.
    failed: AtomicBool,
    in_transaction: AtomicBool,
    broken: AtomicBool,
    opened: Instant,
}

/// Without what is sent over it.
impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn postgres(driver: PgConnection, name: String, observer: Observer) -> Self {
        Self::new(Driver::Postgres(driver), name, observer, Deadline::default())
    }

    pub(super) async fn sqlite(mut driver: SqliteConnection, observer: Observer) -> sqlx::Result<Self> {
        let deadline = Deadline::default();
        let watched = deadline.clone();
        driver
            .lock_handle()
            .await?
            .set_progress_handler(PROGRESS_INSTRUCTIONS, move || !watched.has_passed());
        Ok(Self::new(Driver::Sqlite(driver), String::new(), observer, deadline))
    }

    fn new(driver: Driver, name: String, observer: Observer, deadline: Deadline) -> Self {
        Self {
            driver: AsyncMutex::new(driver),
            name,
            observer,
            deadline,
            deferred: Deferred::default(),
            running: AtomicBool::default(),
            failed: AtomicBool::default(),
            in_transaction: AtomicBool::default(),
            broken: AtomicBool::default(),
            opened: Instant::now(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Whether another caller can use the connection: nothing is running, no transaction is open, and it is not broken.
    pub(super) fn is_clean(&self) -> bool {
        !self.is_running() && !self.is_in_transaction() && !self.is_broken()
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.in_transaction.load(Ordering::Acquire)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Calls `take` with each row of `statement`, which reads outside of transactions, until it breaks. The rest of the rows is cancelled when the connection
    /// is returned to the pool.
    pub async fn for_each_row(
        &self,
        statement: Statement,
        mut take: impl FnMut(&QueryResult) -> Result<ControlFlow<()>, DbErr> + Send,
    ) -> Result<(), DbErr> {
        self.observer.call(&statement);
        let mut running = self.start(ANSWER_TIMEOUT).await;
        let mut stopped = false;
        let result = timeout(ANSWER_TIMEOUT, async {
            let mut rows = running.driver.rows(&statement);
            while let Some(row) = rows.try_next().await? {
                if take(&row)?.is_break() {
                    stopped = true;
                    break;
                }
            }
            Ok(())
        })
        .await;
        if stopped { Ok(()) } else { running.finish(result) }
    }

    /// Runs `sql` with `values`. Returns how many rows it has changed.
    pub async fn run(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, DbErr> {
        let statement = Statement::from_sql_and_values(self.get_database_backend(), sql, values);
        Ok(self.execute_raw(statement).await?.rows_affected())
    }

    /// Runs `statement`, which returns no rows, by the end of the transaction: on SQLite together with the next statement.
    pub async fn run_later(&self, statement: Statement) -> Result<(), DbErr> {
        if self.get_database_backend() == DbBackend::Postgres {
            return self.execute_raw(statement).await.map(drop);
        }
        self.observer.call(&statement);
        self.deferred.add(&statement);
        Ok(())
    }

    /// Runs what was left for later.
    pub(super) async fn catch_up(&self) -> Result<(), DbErr> {
        let Some(statement) = self.deferred.take() else { return Ok(()) };
        let mut running = self.start(ANSWER_TIMEOUT).await;
        let result = timeout(ANSWER_TIMEOUT, running.driver.execute(&statement)).await;
        running.finish(result).map(drop)
    }

    /// The first row of `sql` with `values`.
    pub async fn first<T: FromQueryResult>(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<T>, DbErr> {
        let statement = Statement::from_sql_and_values(self.get_database_backend(), sql, values);
        let row = self.query_one_raw(statement).await?;
        row.map(|row| T::from_query_result(&row, "")).transpose()
    }

    /// The only row of `sql` with `values`.
    pub async fn only<T: FromQueryResult>(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<T, DbErr> {
        self.first(sql, values).await?.ok_or_else(|| DbErr::RecordNotFound("a row".to_owned()))
    }

    /// Waits until the running statement has ended, and checks that the database answers.
    pub(super) async fn is_alive(&self) -> bool {
        let mut driver = self.driver.lock().await;
        let alive = match &mut *driver {
            Driver::Postgres(driver) => matches!(timeout(PING_TIMEOUT, driver.ping()).await, Ok(Ok(()))),
            // A file is always reachable; the answer comes once the statement before it has ended.
            Driver::Sqlite(driver) => driver.ping().await.is_ok(),
        };
        self.running.store(!alive, Ordering::Release);
        alive
    }

    /// Has SQLite end the running statement.
    pub(super) fn interrupt(&self) {
        self.deadline.set(Some(Instant::now()));
    }

    /// Closes the connection, and tells the database so if it answers within a second.
    pub(super) async fn close(self) {
        if !matches!(timeout(PING_TIMEOUT, self.driver.into_inner().close()).await, Ok(Ok(()))) {
            tracing::debug!("a connection was closed without telling the database");
        }
    }

    async fn control(&self, sql: &'static str, limit: Duration) -> Result<(), DbErr> {
        let mut running = self.start(limit).await;
        let result = timeout(limit, running.driver.execute_unprepared(sql)).await;
        running.finish(result).map(drop)
    }

    async fn start(&self, limit: Duration) -> Running<'_> {
        let driver = self.driver.lock().await;
        // Nothing may interrupt a statement without a limit.
        self.deadline
            .set(Instant::now().checked_add(limit.min(STATEMENT_TIMEOUT)).filter(|_| limit < Duration::MAX));
        self.running.store(true, Ordering::Release);
        Running { connection: self, driver }
    }
}

/// A running statement. If it is dropped before [`Running::finish`], the connection stays marked as running.
struct Running<'c> {
    connection: &'c Connection,
    driver: MutexGuard<'c, Driver>,
}

impl Running<'_> {
    /// Notes that the statement has ended, unless it has timed out.
    fn finish<T>(self, result: Result<Result<T, DbErr>, Elapsed>) -> Result<T, DbErr> {
        let connection = self.connection;
        let Ok(result) = result else {
            let no_answer = io::Error::new(io::ErrorKind::TimedOut, "no answer from the database");
            return Err(execution_error(SqlxError::Io(no_answer)));
        };
        connection.running.store(false, Ordering::Release);
        if result.is_ok() {
            connection.deferred.succeed();
        }
        if let Err(error) = &result {
            connection.failed.store(true, Ordering::Release);
            if breaks_connection(error) {
                connection.broken.store(true, Ordering::Release);
            }
        }
        result
    }
}

/// Whether no statement can run after `error`, or none that writes.
fn breaks_connection(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match &**error {
                SqlxError::Database(error) => error.code().is_some_and(|code| {
                    // The database shuts down, has closed the connection, or has become read-only.
                    code.starts_with("08") || code.starts_with("57P") || ["25006", "25P03"].contains(&&*code)
                }),
                SqlxError::RowNotFound | SqlxError::ColumnDecode { .. } => false,
                _ => true,
            }
        }
        _ => false,
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        if self.name.is_empty() { DbBackend::Sqlite } else { DbBackend::Postgres }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.observer.call(&statement);
        self.catch_up().await?;
        let mut running = self.start(ANSWER_TIMEOUT).await;
        let result = timeout(ANSWER_TIMEOUT, running.driver.execute(&statement)).await;
        running.finish(result)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.catch_up().await?;
        let mut running = self.start(ANSWER_TIMEOUT).await;
        let result = timeout(ANSWER_TIMEOUT, running.driver.execute_unprepared(sql)).await;
        running.finish(result)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, mut statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.observer.call(&statement);
        self.deferred.join(&mut statement);
        let mut running = self.start(ANSWER_TIMEOUT).await;
        let result = timeout(ANSWER_TIMEOUT, running.driver.rows(&statement).try_collect()).await;
        running.finish(result)
    }
}
