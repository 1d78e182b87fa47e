//! The life of a reply: lease, checkpoints, takeover, stop, progress.
//!
//! A reply's row holds a lease: the server that writes it, and a deadline. Every write of a reply is conditional on
//! that server and on the attempt, so a server that was thought dead cannot overwrite its successor.

mod batch;
mod budget;
mod checkpoint;
mod chunk;
mod claim;
mod closing;
mod connectivity;
mod draft;
mod ending;
mod fence;
mod follower;
mod generate;
mod histories;
mod history;
mod live;
mod pending;
mod permits;
mod position;
mod preceding;
mod progress;
mod prompt;
mod queue;
mod reader;
mod recent;
mod report;
mod state;
mod sweep;
mod title;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, value_parser};
use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, IdenStatic, Iterable, QueryFilter, QuerySelect};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::batch::Batches;
pub(crate) use self::claim::{Claim, ReplyContext};
use self::follower::Followers;
use self::histories::{HISTORY_BYTES, Histories};
pub(crate) use self::history::{Instructions, NewTurn};
use self::live::{ComingEnd, Live};
pub(crate) use self::permits::ReplyPermit;
use self::permits::ReplyPermits;
pub use self::position::ReplyPosition;
pub(crate) use self::preceding::{PRECEDING_COLUMNS, Preceding, preceding};
pub use self::progress::{ProgressEvent, ReplyEvents};
use crate::assistant::Catalog;
use crate::concurrency::ConcurrencyLimit;
use crate::database::Database;
use crate::entity::message;
use crate::error::Error;
use crate::options::{self, at_least, size};
use crate::signal::{Listener, Signals, Topic};
use crate::usage::Ledger;

/// How long a stopping server may take to release its replies.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long whoever waits for a reply may look for it a last time when the server stops.
const LAST_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// How many titles this server requests at once, and how many of them for one user.
const TITLES: usize = 16;
const USER_TITLES: usize = 2;

/// How replies are written.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Replies")]
#[group(skip)]
pub struct Options {
    /// A reply is begun at most this many times when servers die while they write it; then it has failed.
    #[arg(long = "reply-attempts", env = "CAUSERIE_REPLY_ATTEMPTS", value_name = "NUMBER", default_value_t = 2,
        value_parser = value_parser!(u32).range(1..=100))]
    pub attempts: u32,
    /// A server may be silent for this long; then another one takes its replies over.
    #[arg(long = "reply-lease", env = "CAUSERIE_REPLY_LEASE", value_name = "DURATION", default_value = "10s",
        value_parser = at_least(Duration::from_secs(1)))]
    pub lease: Duration,
    /// A running reply is stored this often, and more seldom while this server writes many: about 400 rows a second in all,
    /// fewer if they are long, and each once in a third of `--reply-lease`; of each at most 256 KiB a second. At most a third
    /// of `--reply-lease`.
    #[arg(long = "reply-checkpoint", env = "CAUSERIE_REPLY_CHECKPOINT", value_name = "DURATION",
        default_value = "250ms", value_parser = at_least(Duration::from_millis(10)))]
    pub checkpoint: Duration,
    /// One attempt at a reply may take at most this long in all; then the reply has failed.
    #[arg(long = "reply-timeout", env = "CAUSERIE_REPLY_TIMEOUT", value_name = "DURATION", default_value = "10m",
        value_parser = at_least(Duration::from_millis(100)))]
    pub timeout: Duration,
    /// At most this many replies of one user are written at a time, on all servers together. Others are queued.
    #[arg(long = "max-user-replies", env = "CAUSERIE_MAX_USER_REPLIES", value_name = "NUMBER",
        default_value_t = 20, value_parser = value_parser!(u32).range(1..))]
    pub user_replies: u32,
    /// This server writes at most this many replies at a time, each in at most 4 MiB of memory. Others are queued, and
    /// begin user by user, or are written by other servers.
    #[arg(long = "max-replies", env = "CAUSERIE_MAX_REPLIES", value_name = "NUMBER", default_value_t = 200,
        value_parser = size(1..))]
    pub replies: usize,
    /// How much memory may be taken by what was said in conversations that go on, in bytes.
    #[arg(skip = HISTORY_BYTES)]
    pub history_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        options::defaults()
    }
}

impl Options {
    /// Checks what no option shows by itself.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if self.checkpoint > self.lease / 3 {
            return Err("--reply-checkpoint must be at most a third of --reply-lease".to_owned());
        }
        Ok(())
    }
}

/// The replies that this server generates. Cloning it is cheap.
///
/// It holds no state of its own but what it is doing now: the state of a reply is its row.
#[derive(Clone, Debug)]
pub struct Replies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    signals: Arc<dyn Signals>,
    catalog: Arc<Catalog>,
    options: Options,
    /// The id under which this process holds leases. A restarted server has a new one.
    server: Uuid,
    /// From when on checkpoints are counted.
    started: Instant,
    running: Mutex<HashMap<Uuid, Arc<Live>>>,
    batches: Batches,
    /// The replies that somebody follows here.
    followers: Followers,
    histories: Histories,
    permits: Arc<ReplyPermits>,
    /// The titles that are requested at present.
    titles: Arc<ConcurrencyLimit>,
    tasks: TaskTracker,
    draining: CancellationToken,
    released: CancellationToken,
}

impl Replies {
    /// Starts to generate replies, and to take over those of lost servers, until [`Self::drain`].
    #[must_use]
    pub fn start(
        database: Database,
        signals: Arc<dyn Signals>,
        catalog: Arc<Catalog>,
        options: Options,
    ) -> Self {
        let tasks = TaskTracker::new();
        let server = Uuid::now_v7();
        let replies = Self(Arc::new(Inner {
            permits: ReplyPermits::new(options.replies, tasks.clone()),
            titles: Arc::new(ConcurrencyLimit::new(USER_TITLES, Some(TITLES))),
            batches: Batches::start(database.clone(), server, options.lease),
            database,
            signals,
            catalog,
            histories: Histories::new(options.history_bytes),
            options,
            server,
            started: Instant::now(),
            running: Mutex::default(),
            followers: Followers::default(),
            tasks,
            draining: CancellationToken::new(),
            released: CancellationToken::new(),
        }));
        tokio::spawn(replies.clone().sweep());
        replies
    }

    /// Starts no more replies, waits up to `limit` for running ones to end, and releases the rest to other servers.
    /// Callers that still wait for the end of a reply are then answered with [`Error::Unavailable`].
    pub async fn drain(&self, limit: Duration) {
        self.0.permits.close();
        self.0.draining.cancel();
        self.0.tasks.close();
        let _ = timeout(limit, self.0.tasks.wait()).await;
        self.0.released.cancel();
        // Each release is one statement. If the database is unavailable, the leases expire instead.
        let _ = timeout(RELEASE_TIMEOUT, self.0.tasks.wait()).await;
        self.flush_signals().await;
    }

    /// Waits, for a moment at most, until the signals that were sent have left this server.
    pub(crate) async fn flush_signals(&self) {
        self.0.signals.flush().await;
    }

    /// The id under which this process holds leases.
    #[must_use]
    pub fn server(&self) -> Uuid {
        self.0.server
    }

    /// How replies are generated.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The assistants that may be asked for replies.
    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        &self.0.catalog
    }

    /// What usage is counted by.
    pub(crate) fn ledger(&self) -> &Ledger {
        self.0.catalog.ledger()
    }

    /// Sends a signal to the listeners of `topic`.
    pub(crate) fn signal(&self, topic: Topic) {
        self.0.signals.send(topic);
    }

    /// Listens to `topic`.
    pub(crate) fn listen(&self, topic: Topic) -> Listener {
        self.0.signals.listen(topic)
    }

    /// Generates the claimed reply in the background, and then further ones with the same permit.
    pub(crate) fn generate(&self, claim: Claim) {
        // From now on it can be followed here, and its end waited for.
        let running = self.begin(&claim.reply);
        self.0.tasks.spawn(self.clone().generate_all(claim, running));
    }

    /// Waits until a reply of `user` has ended, on whichever server, and returns it. It also waits while the database
    /// is unavailable. The row of a reply that this server writes is not read.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the user has no such reply, or no longer.
    pub async fn wait_for_end(&self, user: &str, id: Uuid) -> Result<message::Model, Error> {
        let mut listener = self.0.signals.listen(Topic::Reply(id));
        loop {
            if let Some(end) = self.coming_end(user, id) {
                tokio::select! {
                    row = end.come() => if let Some(row) = row { return Ok(Arc::unwrap_or_clone(row)) },
                    () = self.0.released.cancelled() => {}
                }
            }
            // Read before the row, so that a reply that has ended by then is returned even though the server stops.
            let is_last_check = self.0.released.is_cancelled();
            let found = if is_last_check {
                let late = |_| {
                    Err(Error::Unavailable("the database is too slow for a server that stops".to_owned()))
                };
                timeout(LAST_CHECK_TIMEOUT, self.find(user, id)).await.unwrap_or_else(late)
            } else {
                self.find(user, id).await
            };
            match found {
                Ok(Some(row)) if row.status.is_terminal() => return Ok(row),
                Ok(None) => return Err(Error::NotFound("message")),
                Err(error) if !error.is_unavailable() => return Err(error),
                Ok(Some(_)) | Err(_) => {}
            }
            if is_last_check {
                return Err(Error::Unavailable("this server is stopping".to_owned()));
            }
            // Signals may be lost: once a second it is looked for without one.
            tokio::select! {
                () = self.0.released.cancelled() => {}
                () = sleep(Duration::from_secs(1)) => {}
                () = listener.woken() => {}
            }
        }
    }

    /// Reads the message, if the user has it. The parts of a running reply are left out.
    async fn find(&self, user: &str, id: Uuid) -> Result<Option<message::Model>, Error> {
        let mut query = message::Entity::find_by_id((user.to_owned(), id)).select_only();
        for column in message::Column::iter() {
            let none = match column {
                message::Column::Content | message::Column::Reasoning => "''",
                message::Column::Parts => "'[]'",
                _ => {
                    query = query.column(column);
                    continue;
                }
            };
            let name = column.as_str();
            let ended = format!("CASE WHEN status IN ('QUEUED', 'GENERATING') THEN {none} ELSE {name} END");
            query = query.expr_as(Expr::cust(ended), name);
        }
        let query = query.filter(message::visible());
        self.0.database.read_for(user, |connection| Box::pin(query.clone().one(connection))).await
    }

    /// The end of a reply of `user` that this server writes; `None` if it does not.
    fn coming_end(&self, user: &str, id: Uuid) -> Option<ComingEnd> {
        let running = self.lock_running();
        let live = running.get(&id)?;
        (live.user() == user).then(|| live.coming_end())
    }

    fn is_running(&self, id: Uuid) -> bool {
        self.lock_running().contains_key(&id)
    }

    fn lock_running(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Live>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
