//! One connection: each statement on it has a time limit, and it knows whether one is still running.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use sea_orm::sea_query::Values;
use sea_orm::sqlx::{
    self, AssertSqlSafe, Connection as _, Executor, PgConnection, Postgres, Sqlite, SqliteConnection,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use tokio::time::{Instant, timeout};

/// After what time the database itself ends a statement.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a server waits for a statement's answer: a database that is there has ended it before.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_millis(4500);

/// How long a server waits for what the database does at once.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// How many steps of a statement SQLite takes between two looks at its time limit.
const STEPS: i32 = 1000;

/// Who is told of each statement; it can be set once.
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
}

/// What statements are run on, one after another.
pub struct Connection {
    link: AsyncMutex<Link>,
    /// Under which PostgreSQL lists it.
    name: String,
    observer: Observer,
    interrupt: Interrupt,
    /// Whether a statement was begun whose end has not come.
    running: AtomicBool,
    /// Whether the database has said that a statement of the transaction is wrong.
    failed: AtomicBool,
    in_transaction: AtomicBool,
    broken: AtomicBool,
    opened: Instant,
}

enum Link {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// When SQLite ends the statement that it is running.
#[derive(Clone, Default)]
struct Interrupt(Arc<Mutex<Option<Instant>>>);

impl Interrupt {
    fn set(&self, deadline: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    fn is_due(&self) -> bool {
        let deadline = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Without what is sent over it.
impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What became of a commit.
pub(super) enum Commit {
    Done,
    /// The transaction was rolled back.
    Failed(DbErr),
    /// The answer was lost.
    Unknown(DbErr),
}

impl Connection {
    pub(super) fn of_postgres(link: PgConnection, name: String, observer: Observer) -> Self {
        Self::new(Link::Postgres(link), name, observer, Interrupt::default())
    }

    pub(super) async fn of_sqlite(mut link: SqliteConnection, observer: Observer) -> sqlx::Result<Self> {
        let interrupt = Interrupt::default();
        let watched = interrupt.clone();
        link.lock_handle().await?.set_progress_handler(STEPS, move || !watched.is_due());
        Ok(Self::new(Link::Sqlite(link), String::new(), observer, interrupt))
    }

    fn new(link: Link, name: String, observer: Observer, interrupt: Interrupt) -> Self {
        Self {
            link: AsyncMutex::new(link),
            name,
            observer,
            interrupt,
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

    /// Whether the next statement can begin at once, outside of a transaction.
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

    /// Reads the rows of `statement` one by one, until `take` has had enough. What is not read is given up with the
    /// connection.
    pub async fn read_rows(
        &self,
        statement: Statement,
        mut take: impl FnMut(&QueryResult) -> Result<ControlFlow<()>, DbErr> + Send,
    ) -> Result<(), DbErr> {
        self.observe(&statement);
        let mut running = self.begin(ANSWER_TIMEOUT).await;
        let mut enough = false;
        let rows = async {
            let mut rows = match &mut *running.link {
                Link::Postgres(link) => {
                    postgres(&statement).fetch(link).map_ok(QueryResult::from).map_err(query_error).boxed()
                }
                Link::Sqlite(link) => {
                    sqlite(&statement).fetch(link).map_ok(QueryResult::from).map_err(query_error).boxed()
                }
            };
            while let Some(row) = rows.try_next().await? {
                if take(&row)?.is_break() {
                    enough = true;
                    break;
                }
            }
            Ok(())
        };
        let result = timeout(ANSWER_TIMEOUT, rows).await;
        if enough { Ok(()) } else { running.end(result) }
    }

    /// Begins a transaction; on SQLite one that writes.
    pub(super) async fn begin_transaction(&self) -> Result<(), DbErr> {
        let (sql, limit) = match self.get_database_backend() {
            DbBackend::Postgres => ("BEGIN", PING_TIMEOUT * 2),
            // It waits for whoever else writes.
            _ => ("BEGIN IMMEDIATE", ANSWER_TIMEOUT),
        };
        self.failed.store(false, Ordering::Release);
        self.in_transaction.store(true, Ordering::Release);
        let result = self.control(sql, Some(limit)).await;
        if result.is_err() && !self.is_running() {
            self.in_transaction.store(false, Ordering::Release);
        }
        result
    }

    /// Commits, unless a statement has failed.
    pub(super) async fn commit(&self) -> Commit {
        if self.failed.load(Ordering::Acquire) {
            // PostgreSQL would answer a COMMIT as if all were well.
            self.roll_back().await;
            return Commit::Failed(DbErr::Custom("a statement of the transaction has failed".to_owned()));
        }
        let is_remote = self.get_database_backend() == DbBackend::Postgres;
        match self.control("COMMIT", is_remote.then_some(ANSWER_TIMEOUT)).await {
            Ok(()) => {
                self.in_transaction.store(false, Ordering::Release);
                Commit::Done
            }
            Err(error) if is_remote && (self.is_running() || self.is_broken()) => Commit::Unknown(error),
            Err(error) => {
                self.roll_back().await;
                Commit::Failed(error)
            }
        }
    }

    /// Takes the transaction back. A connection on which that fails is closed once it is given back.
    pub(super) async fn roll_back(&self) {
        if self.is_running() || self.is_broken() {
            return;
        }
        match self.control("ROLLBACK", Some(ANSWER_TIMEOUT)).await {
            Ok(()) => self.in_transaction.store(false, Ordering::Release),
            Err(_) => self.broken.store(true, Ordering::Release),
        }
    }

    /// Whether the database answers at once on this connection, all that was begun on it being over.
    pub(super) async fn is_alive(&self) -> bool {
        let mut link = self.link.lock().await;
        let alive = match &mut *link {
            Link::Postgres(link) => timeout(PING_TIMEOUT, link.ping()).await.is_ok_and(|alive| alive.is_ok()),
            // A file does not vanish: the answer comes when the statement before is over.
            Link::Sqlite(link) => link.ping().await.is_ok(),
        };
        self.running.store(!alive, Ordering::Release);
        alive
    }

    /// Has SQLite end what it is running.
    pub(super) fn interrupt(&self) {
        self.interrupt.set(Some(Instant::now()));
    }

    /// Takes leave of the database, if it answers.
    pub(super) async fn close(self) {
        let leave = async {
            match self.link.into_inner() {
                Link::Postgres(link) => link.close().await,
                Link::Sqlite(link) => link.close().await,
            }
        };
        if !matches!(timeout(PING_TIMEOUT, leave).await, Ok(Ok(()))) {
            tracing::debug!("a connection was closed without taking leave");
        }
    }

    async fn control(&self, sql: &'static str, limit: Option<Duration>) -> Result<(), DbErr> {
        let limit = limit.unwrap_or(Duration::MAX);
        let mut running = self.begin(limit).await;
        let result = timeout(limit, async {
            match &mut *running.link {
                Link::Postgres(link) => link.execute(sql).await.map(drop),
                Link::Sqlite(link) => link.execute(sql).await.map(drop),
            }
            .map_err(execution_error)
        });
        let result = result.await;
        running.end(result)
    }

    async fn begin(&self, limit: Duration) -> Running<'_> {
        let link = self.link.lock().await;
        self.interrupt
            .set(Instant::now().checked_add(limit.min(STATEMENT_TIMEOUT)).filter(|_| limit < Duration::MAX));
        self.running.store(true, Ordering::Release);
        Running { connection: self, link }
    }

    fn observe(&self, statement: &Statement) {
        if let Some(observer) = self.observer.0.get() {
            observer(statement);
        }
    }
}

/// A statement under way. If it is dropped before its end, the connection remembers that it is running.
struct Running<'c> {
    connection: &'c Connection,
    link: MutexGuard<'c, Link>,
}

impl Running<'_> {
    fn end<T>(self, result: Result<Result<T, DbErr>, tokio::time::error::Elapsed>) -> Result<T, DbErr> {
        let connection = self.connection;
        let Ok(result) = result else {
            let silence = io::Error::new(io::ErrorKind::TimedOut, "no answer from the database");
            return Err(execution_error(SqlxError::Io(silence)));
        };
        connection.running.store(false, Ordering::Release);
        if let Err(error) = &result {
            connection.failed.store(true, Ordering::Release);
            if breaks_connection(error) {
                connection.broken.store(true, Ordering::Release);
            }
        }
        result
    }
}

/// Whether no statement can be run after `error`, or none that writes.
fn breaks_connection(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match &**error {
                SqlxError::Database(error) => error.code().is_some_and(|code| {
                    // The database goes down, has closed the connection, or has become one that only reads.
                    code.starts_with("08") || code.starts_with("57P") || ["25006", "25P03"].contains(&&*code)
                }),
                SqlxError::RowNotFound | SqlxError::ColumnDecode { .. } => false,
                _ => true,
            }
        }
        _ => false,
    }
}

fn postgres(statement: &Statement) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), values(statement))
}

fn sqlite(statement: &Statement) -> sqlx::query::Query<'_, Sqlite, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), values(statement))
}

fn values(statement: &Statement) -> SqlxValues {
    SqlxValues(statement.values.clone().unwrap_or(Values(Vec::new())))
}

pub(super) fn query_error(error: SqlxError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn execution_error(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        // The name is PostgreSQL's.
        if self.name.is_empty() { DbBackend::Sqlite } else { DbBackend::Postgres }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.observe(&statement);
        let mut running = self.begin(ANSWER_TIMEOUT).await;
        let result = timeout(ANSWER_TIMEOUT, async {
            match &mut *running.link {
                Link::Postgres(link) => postgres(&statement).execute(link).await.map(ExecResult::from),
                Link::Sqlite(link) => sqlite(&statement).execute(link).await.map(ExecResult::from),
            }
            .map_err(execution_error)
        });
        let result = result.await;
        running.end(result)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut running = self.begin(ANSWER_TIMEOUT).await;
        let result = timeout(ANSWER_TIMEOUT, async {
            match &mut *running.link {
                Link::Postgres(link) => link.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
                Link::Sqlite(link) => link.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
            }
            .map_err(execution_error)
        });
        let result = result.await;
        running.end(result)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.observe(&statement);
        let mut running = self.begin(ANSWER_TIMEOUT).await;
        let result = timeout(ANSWER_TIMEOUT, async {
            let rows: Vec<QueryResult> = match &mut *running.link {
                Link::Postgres(link) => {
                    let rows = postgres(&statement).fetch_all(link).await.map_err(query_error)?;
                    rows.into_iter().map(QueryResult::from).collect()
                }
                Link::Sqlite(link) => {
                    let rows = sqlite(&statement).fetch_all(link).await.map_err(query_error)?;
                    rows.into_iter().map(QueryResult::from).collect()
                }
            };
            Ok(rows)
        });
        let result = result.await;
        running.end(result)
    }
}
