//! Connecting to SQLite or PostgreSQL, reading, and transactions.

mod address;
mod migrate;
mod reach;
pub mod statistics;
mod turn;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

pub use self::address::Address;
use self::turn::Turns;
use crate::error::{Error, is_locked};
use crate::lanes::Lanes;

const RAISE_SQLITE: &str = "INSERT INTO account (user_id, revision, created_at) VALUES ($1, 1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET revision = account.revision + 1 RETURNING revision, $2";

// The clock is read after the row's lock was waited for: one user's instants then never go back.
const RAISE_POSTGRES: &str = "INSERT INTO account (user_id, revision, created_at) VALUES ($1, 1, $2) \
    ON CONFLICT (user_id) DO UPDATE SET revision = account.revision + 1 RETURNING revision, clock_timestamp()";

/// How long a request waits for the database before the answer is `UNAVAILABLE`.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long PostgreSQL keeps a transaction, and with it the lock of its user's rows, open for a server that says
/// nothing more: one that was frozen, or that vanished with its machine. Servers that live pause for milliseconds.
const SILENCE: &str = "3s";

/// How long a connection to PostgreSQL is used before another one takes its place: its memory only grows, and the
/// address may have come to mean another machine.
const CONNECTION_LIFE: Duration = Duration::from_mins(30);

/// How many users at least it takes to use all connections for reading.
const USERS: u32 = 4;

/// How long to wait before a lost connection is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What statements are run on.
pub type Connection = DatabaseConnection;

/// A database, shared by all requests. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Database {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    turns: Arc<Turns>,
    lanes: Arc<Lanes>,
    slow_lanes: Arc<Lanes>,
    address: Arc<Address>,
}

impl Database {
    /// Prepares to connect to `address` with at most `connections` connections; the first use connects.
    ///
    /// On SQLite one connection writes and the others read: the file allows one writer at a time, and
    /// readers of the write-ahead log wait for nobody.
    pub async fn connect(address: Address, connections: u32) -> Result<Self, DbErr> {
        let (reader, writer) = if address.backend() == DbBackend::Sqlite {
            let writer = open(&address, 1, false).await?;
            (open(&address, connections.max(2) - 1, true).await?, writer)
        } else {
            let pool = open(&address, connections, false).await?;
            (pool.clone(), pool)
        };
        let share = usize::try_from(connections / USERS).unwrap_or(1);
        Ok(Self {
            reader,
            writer,
            turns: Arc::default(),
            lanes: Arc::new(Lanes::new(share.max(2), None)),
            slow_lanes: Arc::new(Lanes::new(1, Some(share.max(1)))),
            address: Arc::new(address),
        })
    }

    /// Where the database is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Calls `observer` with the text of each statement from now on, transaction control left out.
    pub fn observe(&mut self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        let observer = Arc::new(observer);
        for connection in [&mut self.reader, &mut self.writer] {
            let observer = observer.clone();
            connection.set_metric_callback(move |info| observer(info.statement));
        }
    }

    /// Reads with `query`, again if the connection turns out to be lost, within a few seconds in all.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database cannot be reached in time.
    pub async fn read<T, Q>(&self, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        persist(|| async { Ok(query(&self.reader).await?) }).await
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
        self.read_in(&self.lanes, user, query).await
    }

    /// As [`Database::read_for`], for what keeps the database busy: one for each user, and few of them in all, so that
    /// they leave it to the others.
    pub async fn read_slowly_for<T, Q>(&self, user: &str, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.read_in(&self.slow_lanes, user, query).await
    }

    async fn read_in<T, Q>(&self, lanes: &Arc<Lanes>, user: &str, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        within(PATIENCE, async {
            let _lane = lanes.take(user).await;
            self.read(query).await
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
    /// was written, unless it was the answer to the commit itself that got lost.
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
        run_detached(async move {
            let value = database.write_once(&user, &input, &work).await?;
            Ok(after_commit(value))
        })
        .await
    }

    async fn write_once<I, T>(
        &self,
        user: &str,
        input: &I,
        work: &(impl for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Sync),
    ) -> Result<T, Error>
    where
        I: Sync,
        T: Send,
    {
        let mut turn = self.turns.take(user).await?;
        let result = within(PATIENCE, async {
            let write = persist(|| self.begin(user)).await?;
            let value = work(&write, input).await?;
            write.transaction.commit().await?;
            Ok(value)
        })
        .await;
        if let Err(Error::Unavailable(cause)) = &result {
            turn.report_outage(cause);
        }
        result
    }

    async fn begin(&self, user: &str) -> Result<Write, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.writer.begin_with_options(options).await?;
        let sql = match self.backend() {
            DbBackend::Postgres => RAISE_POSTGRES,
            _ => RAISE_SQLITE,
        };
        let raise =
            Statement::from_sql_and_values(self.backend(), sql, [Value::from(user), Value::from(now())]);
        let row = transaction
            .query_one_raw(raise)
            .await?
            .ok_or_else(|| Error::Internal("the account row was neither inserted nor updated".to_owned()))?;
        let revision = row.try_get_by_index(0)?;
        let now = row.try_get_by_index::<DateTime<Utc>>(1)?.trunc_subsecs(3);
        Ok(Write { transaction, revision, now })
    }

    /// Runs the one-row update `statement` outside of a user's order of writes, for what is no change that other
    /// devices should learn of, such as a checkpoint. It must be safe to run twice, and goes on to its end even if the
    /// caller goes away. Returns what it returns.
    pub async fn update(&self, statement: Statement) -> Result<Option<QueryResult>, Error> {
        let database = self.clone();
        run_detached(async move {
            persist(|| async {
                // All rows are fetched, as SQLite commits when a statement has run to its end.
                Ok(database.writer.query_all_raw(statement.clone()).await?.pop())
            })
            .await
        })
        .await
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read(|connection| Box::pin(async { connection.execute_unprepared("SELECT 1").await.map(drop) }))
            .await
    }

    /// Which of the two databases it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// The clock that leases go by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(self.backend())
    }

    /// Closes all connections, once their statements have ended.
    pub async fn close(&self) {
        for connection in [&self.reader, &self.writer] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "closing the database");
            }
        }
    }
}

/// A transaction in which `revision` is the user's own.
#[derive(Debug)]
pub struct Write {
    transaction: DatabaseTransaction,
    /// What the user's revision was raised to; goes into every row that is touched.
    pub revision: i64,
    /// One instant for all rows, by the [`Clock`] that leases go by.
    pub now: DateTime<Utc>,
}

impl Deref for Write {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

/// The clock that leases go by: the database's own where servers share one over a network, since their
/// clocks may differ.
#[derive(Clone, Copy, Debug)]
pub struct Clock(DbBackend);

impl Clock {
    /// The present, as an expression.
    #[must_use]
    pub fn now(self) -> SimpleExpr {
        self.in_future(Duration::ZERO)
    }

    /// The instant `distance` from now, as an expression.
    #[must_use]
    pub fn in_future(self, distance: Duration) -> SimpleExpr {
        self.at(TimeDelta::from_std(distance).unwrap_or(TimeDelta::MAX))
    }

    /// The instant `distance` before now, as an expression.
    #[must_use]
    pub fn ago(self, distance: Duration) -> SimpleExpr {
        self.at(-TimeDelta::from_std(distance).unwrap_or(TimeDelta::MAX))
    }

    fn at(self, distance: TimeDelta) -> SimpleExpr {
        match self.0 {
            DbBackend::Postgres => Expr::cust_with_values(
                "clock_timestamp() + $1 * interval '1 millisecond'",
                [distance.num_milliseconds()],
            ),
            _ => Expr::value(now() + distance),
        }
    }
}

/// The present in whole milliseconds, the precision that both databases and the API keep.
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// Connects, again while another server is making the same SQLite file: SQLite does not wait for its turn to set the
/// journal's mode.
async fn open(address: &Address, connections: u32, read_only: bool) -> Result<DatabaseConnection, DbErr> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match connect(address, connections, read_only).await {
            Err(error) if is_locked(&error) && Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            result => return result,
        }
    }
}

async fn connect(address: &Address, connections: u32, read_only: bool) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(address.url());
    options
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .connect_lazy(true)
        // With either of these sqlx 0.9 keeps a task that goes round the idle connections. It counts them without a
        // lock; when a connection is returned and taken in the same instant, the count wraps below zero, and the
        // task spins on a processor and takes connections away for ever.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(Duration::from_secs(1))
        .sqlx_logging(false)
        .set_application_name("causerie")
        .map_sqlx_postgres_opts(|options| {
            options.options([
                // Each start would tell that there is nothing to migrate, in the words of the database.
                ("client_min_messages", "warning"),
                ("idle_in_transaction_session_timeout", SILENCE),
            ])
        })
        .map_sqlx_postgres_before_acquire(|_, connection| {
            Box::pin(async move { Ok(connection.age < CONNECTION_LIFE) })
        })
        .map_sqlx_sqlite_opts(move |options| {
            options
                .create_if_missing(!read_only)
                .read_only(read_only)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(PATIENCE)
        });
    sea_orm::Database::connect(options).await
}

/// Runs `attempt` until it does anything but fail for want of a connection, for at most [`PATIENCE`].
async fn persist<T, F>(attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + PATIENCE;
    within(PATIENCE, async {
        loop {
            match attempt().await {
                Err(error) if error.is_unavailable() && Instant::now() + RETRY_PAUSE < deadline => {
                    sleep(RETRY_PAUSE).await;
                }
                result => return result,
            }
        }
    })
    .await
}

/// Runs `work` to its end, even if the caller goes away.
async fn run_detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let task = tokio::spawn(work.in_current_span());
    task.await.unwrap_or_else(|error| Err(Error::Internal(format!("a write did not end: {error}"))))
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(Error::Unavailable(format!("no answer from the database in {limit:?}"))))
}
