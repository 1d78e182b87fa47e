//! The life of a reply: lease, checkpoints, takeover, stop, progress.
//!
//! A reply's row names the server that writes it and a deadline. Every write of a reply is conditional on that
//! server and on the attempt, so a server that was thought dead cannot overwrite its successor.

mod ending;
mod fence;
mod live;
mod progress;
mod prompt;
mod sweep;
mod title;
mod visible;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::{EntityTrait, QueryFilter};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::live::Live;
pub use self::progress::{Event, Place};
pub(crate) use self::visible::{VISIBLE, visible};
use crate::assistant::Assistant;
use crate::database::Database;
use crate::entity::message::{self, Status};
use crate::error::Error;
use crate::signal::{Listener, Signals, Topic};

/// How replies are written.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a server may be silent before another one takes its replies over.
    pub lease: Duration,
    /// How often a running reply's text is stored.
    pub checkpoint: Duration,
    /// How long one attempt may take in all.
    pub timeout: Duration,
    /// How often a reply is begun in all before a server's death makes it `FAILED`; at least 1.
    pub attempts: u32,
    /// The operator's instructions to the assistant.
    pub system_prompt: Option<String>,
    /// How many tokens of the conversation the assistant is shown at most.
    pub context_tokens: u32,
    /// Who makes titles of conversations out of their first turns; without it the first words stay.
    pub title_assistant: Option<Arc<dyn Assistant>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            checkpoint: Duration::from_millis(250),
            timeout: Duration::from_mins(10),
            attempts: 2,
            system_prompt: None,
            context_tokens: 8192,
            title_assistant: None,
        }
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
        let replies = Self(Arc::new(Inner {
            database,
            signals,
            assistant,
            options,
            server: Uuid::now_v7(),
            running: Mutex::default(),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            released: CancellationToken::new(),
        }));
        tokio::spawn(replies.clone().sweep());
        replies
    }

    /// Gives running replies `limit` to end, then hands them to whichever server is there. Begins nothing new.
    pub async fn drain(&self, limit: Duration) {
        self.0.draining.cancel();
        self.0.tasks.close();
        if timeout(limit, self.0.tasks.wait()).await.is_err() {
            self.0.released.cancel();
            // Each release is one statement; a database that is away lets the leases run out instead.
            let _ = timeout(Duration::from_secs(5), self.0.tasks.wait()).await;
        }
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

    /// Writes `reply`, which this server has the lease of, and then those queued behind it.
    pub(crate) fn write(&self, reply: message::Model) {
        self.0.tasks.spawn(self.clone().write_queue(reply));
    }

    /// Waits until a reply of `user` has ended, whichever server writes it, and returns it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the user has no such reply, or no longer.
    pub async fn ended(&self, user: &str, id: Uuid) -> Result<message::Model, Error> {
        let mut listener = self.0.signals.listen(Topic::Reply(id));
        loop {
            let row = self.find(user, id).await?.ok_or(Error::NotFound("message"))?;
            if row.status.is_terminal() {
                return Ok(row);
            }
            // A reply that grows wakes its readers often; for its end alone, a look a second will do.
            let pause = sleep(Duration::from_secs(1));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = self.0.released.cancelled() => {
                        return Err(Error::Unavailable("this server is stopping".to_owned()));
                    }
                    () = &mut pause => break,
                    () = listener.woken() => if !self.is_running(id) { break },
                }
            }
        }
    }

    /// The message, if the user has it.
    async fn find(&self, user: &str, id: Uuid) -> Result<Option<message::Model>, Error> {
        let query = message::Entity::find_by_id((user.to_owned(), id)).filter(visible());
        self.0.database.read(|connection| Box::pin(query.clone().one(connection))).await
    }

    fn is_running(&self, id: Uuid) -> bool {
        self.lock_running().contains_key(&id)
    }

    fn lock_running(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Live>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a new reply's row says: whether it may begin, and how often.
impl Replies {
    /// Fills in a new reply: leased to this server, or queued behind the one that `busy` tells of.
    pub(crate) fn admit(&self, reply: &mut message::Model, busy: bool, now: sea_orm::prelude::DateTimeUtc) {
        let attempts = i32::try_from(self.0.options.attempts).unwrap_or(i32::MAX);
        reply.restarts_left = attempts.saturating_sub(1);
        if busy {
            reply.status = Status::Queued;
        } else {
            reply.status = Status::Generating;
            reply.attempt += 1;
            reply.lease_owner = Some(self.0.server);
            reply.lease_until = Some(now + self.0.options.lease);
        }
    }
}
