//! The one door to the database: each statement has a time limit, holds what it counts against until it has really
//! ended, and is ended when nobody waits for it any more; what writes is never dropped half-way.

mod address;
mod canceller;
mod clock;
mod connection;
mod migrate;
mod options;
mod pool;
mod reach;
pub mod statistics;
mod write;
mod write_queue;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr,
    SqlxError, Statement,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

pub use self::address::Address;
use self::canceller::Canceller;
pub use self::clock::{Clock, now};
pub use self::connection::Connection;
use self::connection::{Observer, STATEMENT_TIMEOUT};
pub use self::options::Options;
use self::pool::{Pool, Source};
use self::write::Unanswered;
pub use self::write::Write;
use self::write_queue::WriteQueues;
use crate::concurrency::{ConcurrencyLimit, Permit};
use crate::error::{Error, is_locked};

/// How long a request waits for the database before the answer is `UNAVAILABLE`: for all of a read, and for the
/// beginning of a write.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long the statements of one write may take in all. Each has its own limit; over a slow network there are many.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a commit whose answer was lost is asked for.
const OUTCOME_TIMEOUT: Duration = Duration::from_mins(1);

/// How long what is written is given to end when the server stops.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long PostgreSQL keeps a transaction, and with it the lock of its user's rows, open for a server that says
/// nothing more: one that was frozen, or that vanished with its machine. Servers that live pause for milliseconds.
const SILENCE: &str = "3s";

/// How many users at least it takes to use all connections for reading.
const USERS: u32 = 4;

/// How long to wait before a lost connection is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A database, shared by all requests. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Database {
    readers: Arc<Pool>,
    writers: Arc<Pool>,
    queues: Arc<WriteQueues>,
    reads: Arc<ConcurrencyLimit>,
    expensive_reads: Arc<ConcurrencyLimit>,
    /// What is being written.
    tasks: TaskTracker,
    observer: Observer,
    address: Arc<Address>,
}

impl Database {
    /// Prepares to connect to `address` with at most `connections` connections; the first use connects.
    ///
    /// On SQLite one connection writes and the others read: the file allows one writer at a time, and
    /// readers of the write-ahead log wait for nobody.
    pub async fn connect(address: Address, connections: u32) -> Result<Self, DbErr> {
        let observer = Observer::default();
        let (readers, writers) = if address.backend() == DbBackend::Sqlite {
            let options = sqlite_options(&address)?;
            let pool = |options, connections| {
                Pool::new(Source::Sqlite(options), String::new(), connections, observer.clone())
            };
            let writers = Arc::new(pool(options.clone().create_if_missing(true), 1));
            create(&writers).await?;
            let readers = usize::try_from(connections.max(2) - 1).unwrap_or(usize::MAX);
            (Arc::new(pool(options.create_if_missing(false).read_only(true), readers)), writers)
        } else {
            let options = postgres_options(&address)?;
            let id = Uuid::now_v7().simple().to_string();
            let name = format!("causerie {}", id.get(20..).unwrap_or_default());
            let canceller = Canceller::new(options.clone().application_name(&format!("{name} canceller")));
            let source = Source::Postgres { options, canceller };
            let connections = usize::try_from(connections.max(1)).unwrap_or(usize::MAX);
            let pool = Arc::new(Pool::new(source, name, connections, observer.clone()));
            (pool.clone(), pool)
        };
        let share = usize::try_from(connections / USERS).unwrap_or(1);
        Ok(Self {
            readers,
            writers,
            queues: Arc::default(),
            reads: Arc::new(ConcurrencyLimit::new(share.max(2), None)),
            expensive_reads: Arc::new(ConcurrencyLimit::new(1, Some(share.max(1)))),
            tasks: TaskTracker::new(),
            observer,
            address: Arc::new(address),
        })
    }

    /// Where the database is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Calls `observer` with the text of each statement from now on, transaction control left out. It can be set once.
    pub fn observe(&mut self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        self.observer.set(observer);
    }

    /// Reads with `query`, again if the connection turns out to be lost, within a few seconds in all. If the caller
    /// goes away, the database is told to end it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database cannot be reached in time.
    pub async fn read<T, Q>(&self, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.read_within(Instant::now() + PATIENCE, None, &query).await
    }

    /// As [`Database::read`], for `user`: side by side with few others of that user's, so that a query of many parts
    /// leaves connections to everybody else.
    ///
    /// # Errors
    /// [`Error::Unavailable`] also if its turn does not come in time.
    pub async fn read_for<T, Q>(&self, user: &str, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.read_limited(&self.reads, user, query).await
    }

    /// As [`Database::read_for`], for what keeps the database busy: one for each user, and few of them in all, so that
    /// they leave it to the others.
    pub async fn read_slowly_for<T, Q>(&self, user: &str, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.read_limited(&self.expensive_reads, user, query).await
    }

    async fn read_limited<T, Q>(
        &self,
        limit: &Arc<ConcurrencyLimit>,
        user: &str,
        query: Q,
    ) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        let deadline = Instant::now() + PATIENCE;
        let permit = timeout_at(deadline, limit.acquire(user)).await;
        let permit =
            permit.map_err(|_| Error::Unavailable("too much of one user's is read at once".to_owned()))?;
        self.read_within(deadline, Some(Arc::new(permit)), &query).await
    }

    async fn read_within<T, Q>(
        &self,
        deadline: Instant,
        permit: Option<Arc<Permit>>,
        query: &Q,
    ) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        repeat_until(deadline, || async {
            let connection = self.readers.acquire(permit.clone()).await?;
            Ok(query(&connection).await?)
        })
        .await
    }

    /// Runs `work` on `input` in a transaction that begins by raising `user`'s revision, and commits it. It goes on to
    /// its end even if the caller goes away.
    ///
    /// That first statement locks the user's account row, so one user's writes have an order, on all servers,
    /// and two users never wait for each other. Within one server the user's writes also queue before they
    /// take a connection, so that a busy user cannot use up the pool. `work` may run more than once, each time in a
    /// transaction of its own: it must do nothing but through its [`Write`].
    ///
    /// # Errors
    /// What `work` says; [`Error::Unavailable`] if the database cannot be reached in time. In that case nothing
    /// was written, unless it was the answer to the commit itself that got lost, and could not be asked for in time.
    pub async fn write<I, T, W>(&self, user: &str, input: I, work: W) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        W: for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        self.write_then(user, input, work, |value| value).await
    }

    /// As [`Database::write`], and then, once it is committed, `after_commit`, which is not skipped either if the
    /// caller goes away.
    pub async fn write_then<I, T, U, W, A>(
        &self,
        user: &str,
        input: I,
        work: W,
        after_commit: A,
    ) -> Result<U, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        U: Send + 'static,
        W: for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        let (database, user) = (self.clone(), user.to_owned());
        self.run_detached(|early| async move {
            let value = database.write_in_order(&user, &input, &work, &early).await?;
            Ok(after_commit(value))
        })
        .await
    }

    async fn write_in_order<I, T>(
        &self,
        user: &str,
        input: &I,
        work: &(impl for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Sync),
        early: &EarlyAnswer,
    ) -> Result<T, Error>
    where
        I: Sync,
        T: Send,
    {
        let mut queue = self.queues.enter(user).await?;
        let deadline = Instant::now() + PATIENCE;
        let result = loop {
            match self.try_write(user, input, work, early, deadline).await {
                // Nothing of it was written. It was another's turn first, or the connection was lost.
                Err(Error::Conflict(_) | Error::Unreachable(_))
                    if Instant::now() + RETRY_PAUSE < deadline =>
                {
                    sleep(RETRY_PAUSE).await;
                }
                result => break result,
            }
        };
        if let Err(Error::Unreachable(cause)) = &result {
            queue.report_outage(cause);
        }
        result
    }

    /// Writes once.
    ///
    /// # Errors
    /// [`Error::Conflict`] and [`Error::Unreachable`] only if nothing was written.
    async fn try_write<I, T>(
        &self,
        user: &str,
        input: &I,
        work: &(impl for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Sync),
        early: &EarlyAnswer,
        deadline: Instant,
    ) -> Result<T, Error>
    where
        I: Sync,
        T: Send,
    {
        let write =
            repeat_until(deadline, || async { Write::begin(self.writers.acquire(None).await?, user).await })
                .await?;
        let done = timeout(WRITE_TIMEOUT, work(&write, input)).await;
        let value = match done.unwrap_or_else(|_| Err(Error::Unavailable("a write took too long".to_owned())))
        {
            Ok(value) => value,
            Err(error) => {
                write.roll_back().await;
                return Err(error);
            }
        };
        match write.commit().await? {
            Ok(()) => Ok(value),
            Err(unanswered) => self.find_outcome(&unanswered, early).await.map(|()| value),
        }
    }

    /// Asks what became of a commit whose answer was lost. The caller is answered in time, and what follows a commit
    /// is done whenever the database says that it took place.
    async fn find_outcome(&self, commit: &Unanswered, early: &EarlyAnswer) -> Result<(), Error> {
        let began = Instant::now();
        let unknown = || Error::Unavailable(format!("the answer to a commit was lost: {}", commit.cause));
        while began.elapsed() < OUTCOME_TIMEOUT {
            match self
                .read(|connection| {
                    let commit = commit.clone();
                    Box::pin(async move { commit.ask(connection).await })
                })
                .await
            {
                Ok(Some(true)) => return Ok(()),
                Ok(Some(false)) => return Err(Error::Unreachable(commit.cause.clone())),
                Ok(None) | Err(_) => {}
            }
            if began.elapsed() > PATIENCE {
                early.refuse(&unknown());
            }
            sleep(RETRY_PAUSE).await;
        }
        Err(unknown())
    }

    /// Runs the one-row update `statement` outside of a user's order of writes, for what is no change that other
    /// devices should learn of, such as a checkpoint. It must be safe to run twice, and goes on to its end even if the
    /// caller goes away. Returns what it returns.
    pub async fn update(&self, statement: Statement) -> Result<Option<QueryResult>, Error> {
        let database = self.clone();
        self.run_detached(|_| async move {
            repeat_until(Instant::now() + PATIENCE, || async {
                let connection = database.writers.acquire(None).await?;
                // All rows are fetched, as SQLite commits when a statement has run to its end.
                Ok(connection.query_all_raw(statement.clone()).await?.pop())
            })
            .await
        })
        .await
    }

    /// Runs `work` to its end, even if the caller goes away.
    async fn run_detached<T, F>(&self, work: impl FnOnce(EarlyAnswer) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (sender, refused) = oneshot::channel();
        let task = self.tasks.spawn(work(EarlyAnswer(Mutex::new(Some(sender)))).in_current_span());
        tokio::select! {
            biased;
            result = task => {
                result.unwrap_or_else(|error| Err(Error::Internal(format!("a write did not end: {error}"))))
            }
            Ok(error) = refused => Err(error),
        }
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read(|connection| Box::pin(async { connection.execute_unprepared("SELECT 1").await.map(drop) }))
            .await
    }

    /// Which of the two databases it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.address.backend()
    }

    /// The clock that leases go by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(self.backend())
    }

    /// Closes all connections, once what is being written has ended or after a few seconds.
    pub async fn close(&self) {
        self.tasks.close();
        if timeout(CLOSE_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("the server stops while something is being written");
        }
        self.readers.close().await;
        self.writers.close().await;
    }

    /// A connection past this door's limits in time, to change the schema by.
    async fn connect_to_migrate(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(self.address.url());
        options
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            // With either of these sqlx 0.9 keeps a task that goes round the idle connections. It counts them without
            // a lock; when a connection is returned and taken in the same instant, the count wraps below zero, and the
            // task spins on a processor and takes connections away for ever.
            .idle_timeout(None)
            .max_lifetime(None)
            .sqlx_logging(false)
            .set_application_name("causerie migrate")
            .map_sqlx_postgres_opts(|options| options.options([("client_min_messages", "warning")]))
            .map_sqlx_sqlite_opts(|options| {
                let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
                options.synchronous(SqliteSynchronous::Full).busy_timeout(PATIENCE)
            });
        sea_orm::Database::connect(options).await
    }
}

/// Tells a caller to wait no longer, though the work goes on.
struct EarlyAnswer(Mutex<Option<oneshot::Sender<Error>>>);

impl EarlyAnswer {
    fn refuse(&self, error: &Error) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The caller may be gone.
            let _ = sender.send(error.clone());
        }
    }
}

fn postgres_options(address: &Address) -> Result<PgConnectOptions, DbErr> {
    let options: PgConnectOptions = address.url().parse().map_err(connection_error)?;
    Ok(options.disable_statement_logging().options([
        // Each start would tell that there is nothing to migrate, in the words of the database.
        ("client_min_messages", "warning".to_owned()),
        ("idle_in_transaction_session_timeout", SILENCE.to_owned()),
        ("statement_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
    ]))
}

fn sqlite_options(address: &Address) -> Result<SqliteConnectOptions, DbErr> {
    let options: SqliteConnectOptions = address.url().parse().map_err(connection_error)?;
    Ok(options
        .disable_statement_logging()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE))
}

fn connection_error(error: SqlxError) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// Makes the file, again while another server is making it: SQLite does not wait for its turn to set the journal's
/// mode.
async fn create(writers: &Arc<Pool>) -> Result<(), DbErr> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match writers.acquire(None).await {
            Err(error) if is_locked(&error) && Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            result => return result.map(drop),
        }
    }
}

/// Runs `attempt` until it does anything but fail for want of the database, at most until `deadline`.
async fn repeat_until<T, F>(deadline: Instant, attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut last = None;
    loop {
        match timeout_at(deadline, attempt()).await {
            Ok(Err(error)) if error.is_unavailable() && Instant::now() + RETRY_PAUSE < deadline => {
                last = Some(error);
                sleep(RETRY_PAUSE).await;
            }
            Ok(result) => return result,
            Err(_) => {
                let silence = || Error::Unavailable(format!("no answer from the database in {PATIENCE:?}"));
                return Err(last.unwrap_or_else(silence));
            }
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(Error::Unavailable(format!("no answer from the database in {limit:?}"))))
}
