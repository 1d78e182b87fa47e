//! The life of a reply: lease, checkpoints, takeover, stop, progress.
//!
//! A reply's row names the server that writes it and a deadline. Every write of a reply is conditional on that
//! server and on the attempt, so a server that was thought dead cannot overwrite its successor.

mod claim;
mod contact;
mod ending;
mod fence;
mod live;
mod permits;
mod piece;
mod progress;
mod prompt;
mod sweep;
mod title;
mod waiting;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, value_parser};
use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, IdenStatic, Iterable, QueryFilter, QuerySelect};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use self::claim::Claim;
use self::live::Live;
pub(crate) use self::permits::Permit;
use self::permits::Permits;
pub use self::progress::{Event, Place};
use crate::assistant::Assistant;
use crate::database::Database;
use crate::entity::message;
use crate::error::Error;
use crate::options::{self, at_least, size};
use crate::signal::{Listener, Signals, Topic};

/// How long a server that has to go tries to hand its replies over.
const RELEASE: Duration = Duration::from_secs(2);

/// How long a server that has to go tries to tell the others what it has ended and handed over.
const FLUSH: Duration = Duration::from_secs(1);

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
    /// The text of a running reply is stored this often. At most a third of `--reply-lease`.
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
    /// Instructions that the assistant is shown before every conversation.
    #[arg(
        long = "assistant-system-prompt",
        help_heading = "Assistant",
        value_name = "TEXT",
        env = "CAUSERIE_ASSISTANT_SYSTEM_PROMPT"
    )]
    pub system_prompt: Option<String>,
    /// The assistant is shown at most this many tokens of a conversation, by estimate: the newest messages.
    #[arg(long, env = "CAUSERIE_CONTEXT_TOKENS", help_heading = "Assistant", value_name = "NUMBER",
        default_value_t = 8192, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub context_tokens: u32,
    /// Who makes titles of conversations out of their first turns; without it the first words stay.
    #[arg(skip)]
    pub title_assistant: Option<Arc<dyn Assistant>>,
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

/// All replies that this server writes or waits for. Cloning it is cheap.
///
/// What it remembers is only what it is doing now: the truth about every reply is its row.
#[derive(Clone, Debug)]
pub struct Replies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    signals: Arc<dyn Signals>,
    assistant: Arc<dyn Assistant>,
    options: Options,
    /// The name under which this process holds leases; a restarted server is another one.
    server: Uuid,
    running: Mutex<HashMap<Uuid, Arc<Live>>>,
    permits: Arc<Permits>,
    tasks: TaskTracker,
    draining: CancellationToken,
    released: CancellationToken,
}

impl Replies {
    /// Takes up the writing of replies, those of dead servers included, until [`Self::drain`].
    #[must_use]
    pub fn start(
        database: Database,
        signals: Arc<dyn Signals>,
        assistant: Arc<dyn Assistant>,
        options: Options,
    ) -> Self {
        let tasks = TaskTracker::new();
        let replies = Self(Arc::new(Inner {
            permits: Permits::new(options.replies, tasks.clone()),
            database,
            signals,
            assistant,
            options,
            server: Uuid::now_v7(),
            running: Mutex::default(),
            tasks,
            draining: CancellationToken::new(),
            released: CancellationToken::new(),
        }));
        tokio::spawn(replies.clone().sweep());
        replies
    }

    /// Gives running replies `limit` to end, then hands them to whichever server is there. Begins nothing new: what
    /// is asked for meanwhile waits for another server. Who waits here for the end of a reply is sent away at last.
    pub async fn drain(&self, limit: Duration) {
        self.0.permits.close();
        self.0.draining.cancel();
        self.0.tasks.close();
        let _ = timeout(limit, self.0.tasks.wait()).await;
        self.0.released.cancel();
        // Each release is one statement; a database that is away lets the leases run out instead.
        let _ = timeout(RELEASE, self.0.tasks.wait()).await;
        let _ = timeout(FLUSH, self.0.signals.flush()).await;
    }

    /// The name under which this process holds leases.
    #[must_use]
    pub fn server(&self) -> Uuid {
        self.0.server
    }

    /// How replies are written.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Wakes whoever waits for news of a user's reply, or of the user.
    pub(crate) fn signal(&self, topic: Topic) {
        self.0.signals.send(topic);
    }

    /// Listens for news of a user's reply, or of the user.
    pub(crate) fn listen(&self, topic: Topic) -> Listener {
        self.0.signals.listen(topic)
    }

    /// Writes what was claimed, and then what this server is given in its place.
    pub(crate) fn write(&self, claim: Claim) {
        self.0.tasks.spawn(self.clone().write_queue(claim));
    }

    /// Waits until a reply of `user` has ended, whichever server writes it, and returns it. While the database is away
    /// it waits, too.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the user has no such reply, or no longer.
    pub async fn ended(&self, user: &str, id: Uuid) -> Result<message::Model, Error> {
        let mut listener = self.0.signals.listen(Topic::Reply(id));
        loop {
            // Asked before the row is read: what has ended by then is told, though the server stops.
            let is_last_look = self.0.released.is_cancelled();
            match self.find(user, id).await {
                Ok(Some(row)) if row.status.is_terminal() => return Ok(row),
                Ok(None) => return Err(Error::NotFound("message")),
                Err(error) if !error.is_unavailable() => return Err(error),
                Ok(Some(_)) | Err(_) => {}
            }
            if is_last_look {
                return Err(Error::Unavailable("this server is stopping".to_owned()));
            }
            // A reply that grows wakes its readers often; for its end alone, a look a second will do.
            let pause = sleep(Duration::from_secs(1));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = self.0.released.cancelled() => break,
                    () = &mut pause => break,
                    () = listener.woken() => if !self.is_running(id) { break },
                }
            }
        }
    }

    /// The message, if the user has it; without its text as long as that grows.
    async fn find(&self, user: &str, id: Uuid) -> Result<Option<message::Model>, Error> {
        let rest = message::Column::iter().filter(|column| column.as_str() != "content");
        let text = "CASE WHEN status IN ('QUEUED', 'GENERATING') THEN '' ELSE content END";
        let query = message::Entity::find_by_id((user.to_owned(), id))
            .select_only()
            .columns(rest)
            .expr_as(Expr::cust(text), "content")
            .filter(message::visible());
        self.0.database.read(|connection| Box::pin(query.clone().one(connection))).await
    }

    fn is_running(&self, id: Uuid) -> bool {
        self.lock_running().contains_key(&id)
    }

    fn lock_running(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Live>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
