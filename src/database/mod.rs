//! The one door to the database. Every statement goes through [`Database`], which gives it a time limit, holds the
//! permits that it counts against until it has really ended, and cancels it when its caller is gone. Writes run to
//! their end even if the caller is gone.
//!
//! No caller can go around it: connections are only lent to the closures that [`Database::read`] and
//! [`Database::write`] take.

mod address;
mod after_commit;
mod batch;
mod canceller;
mod clock;
mod commit;
mod connect;
mod connection;
mod detached;
mod driver;
mod fast_path;
mod group_commit;
mod migrate;
mod options;
mod pool;
mod reachable;
mod retry;
mod row;
mod sqlite_reader;
pub mod statistics;
pub mod wal_checkpoint;
mod write;
mod write_queue;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;

pub use self::address::Address;
use self::batch::Batches;
pub(crate) use self::batch::WRITES as BATCH_WRITES;
pub use self::clock::{Clock, now, storable};
pub use self::connection::Connection;
use self::connection::Observer;
pub(crate) use self::fast_path::{BatchStatement, FastPath, raise_revisions};
use self::group_commit::GroupCommit;
pub use self::options::Options;
use self::pool::{Pool, PooledConnection};
use self::retry::{RETRY_PAUSE, retry_until};
pub use self::row::Row;
use self::sqlite_reader::SqliteReader;
use self::write::QueuedWrite;
pub use self::write::Write;
use self::write_queue::WriteQueues;
use crate::concurrency::{ConcurrencyLimit, Permit};
use crate::error::Error;
use crate::rest::{HeavyTask, HeavyWork};

/// How long a read may take in all, and how long a write may take to begin. After that the request fails with
/// `UNAVAILABLE`.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);

/// How long an expensive read may wait for the user's earlier ones, and for its turn among everybody's.
const EXPENSIVE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long running writes may take to end when the server stops.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(1500);

/// A database, shared by all requests. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Database {
    readers: Arc<Pool>,
    writers: Arc<Pool>,
    /// Where brief reads of SQLite run.
    sqlite_reader: Option<Arc<SqliteReader>>,
    queues: Arc<WriteQueues>,
    /// The turns of writes on SQLite.
    group: Arc<GroupCommit>,
    /// Writes that are about to share a statement on PostgreSQL.
    batches: Arc<Batches>,
    reads: Arc<ConcurrencyLimit>,
    expensive_reads: Arc<ConcurrencyLimit>,
    heavy_work: Arc<HeavyWork>,
    /// Writes that are running.
    tasks: TaskTracker,
    observer: Observer,
    address: Arc<Address>,
}

impl Database {
    /// Runs `query`, and runs it again on another connection if its own is lost, for [`OPERATION_TIMEOUT`] in all. If
    /// the caller drops the future, the database is told to cancel the query.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database does not answer in time.
    pub async fn read<T, Q>(&self, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.read_until(Instant::now() + OPERATION_TIMEOUT, None, &query).await
    }

    /// As [`Database::read`], with a limit on how many reads of `user` run at once, so that an operation of many
    /// queries leaves connections to other users.
    ///
    /// # Errors
    /// [`Error::Unavailable`] also if the user's other reads do not end in time.
    pub async fn read_for<T, Q>(&self, user: &str, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.heavy_work.note_request();
        let deadline = Instant::now() + OPERATION_TIMEOUT;
        let permit = turn(&self.reads, user, deadline).await?;
        self.read_until(deadline, Some(Arc::new(permit)), &query).await
    }

    /// As [`Database::read_for`], for queries that keep the database busy, such as searches: one runs at a time for
    /// each user, the next one after a rest, and a quarter of the connections are used for them at most.
    pub async fn read_expensive_for<T, Q>(&self, user: &str, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        let permit = turn(&self.expensive_reads, user, Instant::now() + EXPENSIVE_TIMEOUT).await?;
        self.read_until(Instant::now() + OPERATION_TIMEOUT, Some(Arc::new(permit)), &query).await
    }

    async fn read_until<T, Q>(
        &self,
        deadline: Instant,
        permit: Option<Arc<Permit>>,
        query: &Q,
    ) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        retry_until(deadline, || async {
            let connection = self.readers.acquire(permit.clone()).await?;
            Ok(query(&connection).await?)
        })
        .await
    }

    /// Calls `take` with each row of `statement` until it breaks, without waiting for anything; `None` if it has to be read
    /// otherwise. What was taken then is not all. It is for statements that read a page at most, by an index.
    pub(crate) fn read_at_once(
        &self,
        statement: &Statement,
        take: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, DbErr>,
    ) -> Option<()> {
        let reader = self.sqlite_reader.as_ref()?;
        self.heavy_work.note_request();
        reader.for_each_row(statement, take)
    }

    /// `sql` with `values`, as a statement for this database.
    #[must_use]
    pub fn statement(&self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// The rows of `statement`, as [`Database::read`] reads them.
    pub async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>, Error> {
        self.read(|connection| connection.query_all_raw(statement.clone())).await
    }

    /// The rows of `statement`, as `decode` has them: by [`Database::read_at_once`] if that is possible.
    pub(crate) async fn brief_rows<T>(
        &self,
        statement: Statement,
        decode: impl Fn(Row<'_>) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, Error> {
        let mut decoded = Vec::new();
        let read = self.read_at_once(&statement, |row| {
            decoded.push(decode(row)?);
            Ok(ControlFlow::Continue(()))
        });
        if read.is_some() {
            return Ok(decoded);
        }
        let rows = self.rows(statement).await?;
        Ok(rows.iter().map(|row| decode(Row::Driver(row))).collect::<Result<_, _>>()?)
    }

    /// The first row of `statement`, as [`Database::read`] reads it.
    pub async fn row(&self, statement: Statement) -> Result<Option<QueryResult>, Error> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Runs `work` on `input` in a transaction that begins by raising `user`'s revision, and commits it. The write goes
    /// on even if the caller drops the future.
    ///
    /// The first statement locks the user's account row, so one user's writes are ordered on all servers, and writes of
    /// different users never wait for each other. Within one server a user's writes also queue before they take a
    /// connection, so one user cannot use up the pool. `work` may run more than once, each time in a new transaction:
    /// it must have no effects but those of its [`Write`].
    ///
    /// # Errors
    /// The error of `work`, or [`Error::Unavailable`] if the database does not answer in time. Nothing was written
    /// then, unless the answer to the commit itself was lost and its outcome could not be found out in time.
    pub async fn write<I, T, W>(&self, user: &str, input: I, work: W) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        W: for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        self.write_fast(user, |_| None, input, work).await
    }

    /// As [`Database::write`], but what `path` makes is tried first. If its answer is lost, `work` is told so by
    /// [`Write::uncertain`]: it then looks first whether everything is written. `path` is called once the user's earlier
    /// writes in this server have ended, so what it holds is held once for each user.
    pub(crate) async fn write_fast<I, T, P, W>(
        &self,
        user: &str,
        path: P,
        input: I,
        work: W,
    ) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        P: FnOnce(&I) -> Option<FastPath<T>> + Send + 'static,
        W: for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        self.write_detached(true, user, path, input, work).await
    }

    /// As [`Database::write`], for writes that no request waits for: if the answer to the commit is lost, it waits until
    /// the outcome is known, so that nothing that was committed is left without whoever goes on with it.
    pub(crate) async fn write_to_outcome<I, T, W>(&self, user: &str, input: I, work: W) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        W: for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        self.write_fast_to_outcome(user, |_| None, input, work).await
    }

    /// As [`Database::write_to_outcome`], but `path` is tried first, as in [`Database::write_fast`].
    pub(crate) async fn write_fast_to_outcome<I, T, P, W>(
        &self,
        user: &str,
        path: P,
        input: I,
        work: W,
    ) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        P: FnOnce(&I) -> Option<FastPath<T>> + Send + 'static,
        W: for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        self.write_detached(false, user, path, input, work).await
    }

    /// Writes in a task of its own. A caller that may be answered `early` fails if the answer to the commit is lost.
    async fn write_detached<I, T, P, W>(
        &self,
        early: bool,
        user: &str,
        path: P,
        input: I,
        work: W,
    ) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        P: FnOnce(&I) -> Option<FastPath<T>> + Send + 'static,
        W: for<'w> Fn(&'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        self.heavy_work.note_request();
        let (database, user) = (self.clone(), user.to_owned());
        self.run_detached(early, |early| async move {
            let (database, user, input, work) = (&database, user.as_str(), &input, &work);
            QueuedWrite { database, user, input, work, early: &early }.run(path).await
        })
        .await
    }

    /// Runs the one-row update `statement` without raising a revision, for changes that other devices need not learn
    /// of, such as a checkpoint. The statement must be safe to run twice, and runs to its end even if the caller drops
    /// the future. Returns the row that the statement returns.
    pub async fn update(&self, statement: Statement) -> Result<Option<QueryResult>, Error> {
        Ok(self.update_rows(statement).await?.pop())
    }

    /// As [`Database::update`], for an update of several rows. Returns the rows that the statement returns.
    pub async fn update_rows(&self, statement: Statement) -> Result<Vec<QueryResult>, Error> {
        let database = self.clone();
        self.run_detached(false, |_| async move {
            let deadline = Instant::now() + OPERATION_TIMEOUT;
            if database.backend() == DbBackend::Sqlite {
                return database.update_in_group(&statement, deadline).await;
            }
            retry_until(deadline, || async {
                let connection = database.writers.acquire(None).await?;
                Ok(connection.query_all_raw(statement.clone()).await?)
            })
            .await
        })
        .await
    }

    /// Runs an update on SQLite, where it shares its commit with writes, and again while that fails, until `deadline`.
    async fn update_in_group(
        &self,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Vec<QueryResult>, Error> {
        loop {
            let job = |connection: PooledConnection| -> BoxFuture<'_, _> {
                Box::pin(async move {
                    let rows = connection.query_all_raw(statement.clone()).await.map_err(Error::from);
                    (connection, rows)
                })
            };
            match self.group.run(&self.writers, deadline, &job).await {
                Err(error) if error.is_unavailable() && Instant::now() + RETRY_PAUSE < deadline => {
                    sleep(RETRY_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// Notes that `user` does work that keeps the database busy, until the result is dropped. After each piece of it the
    /// user is to rest.
    pub(crate) fn heavy_work(&self, user: &str) -> HeavyTask {
        self.heavy_work.begin(user)
    }

    /// Checks that the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read(|connection| Box::pin(async { connection.execute_unprepared("SELECT 1").await.map(drop) }))
            .await
    }

    /// Calls `observer` with each statement from now on, except transaction control. Only the first call sets it.
    pub fn observe(&mut self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        self.observer.set(observer);
    }

    /// Where the database is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
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

    /// Waits up to [`CLOSE_TIMEOUT`] for running writes to end, and closes all connections.
    pub async fn close(&self) {
        self.tasks.close();
        if timeout(CLOSE_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("the server stops while writes are running");
        }
        if let Some(reader) = &self.sqlite_reader {
            reader.close();
        }
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// Waits for the right to read for `user`.
async fn turn(limit: &Arc<ConcurrencyLimit>, user: &str, deadline: Instant) -> Result<Permit, Error> {
    let permit = timeout_at(deadline, limit.acquire(user)).await;
    permit.map_err(|_| Error::Unavailable("one user runs too many reads at once".to_owned()))
}

/// Converts `rows` to models.
pub(crate) fn models<T: FromQueryResult>(rows: &[QueryResult]) -> Result<Vec<T>, DbErr> {
    rows.iter().map(|row| T::from_query_result(row, "")).collect()
}
