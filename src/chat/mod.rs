//! What a viewer may do: every query and every rule.
//!
//! [`Chat`] is the only door to the rows, and it cannot be made without a viewer: whoever holds one reads and
//! writes that viewer's rows, and has no way to name anybody else's.

mod changes;
mod conversations;
mod feedback;
mod list;
mod messages;
mod metadata;
mod organise;
mod page;
mod path;
mod read;
mod receipt;
mod replies;
mod search;
mod send;
mod span;
mod text;
mod trash;
mod tree;
mod turn;
mod unread;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use self::changes::{Change, ChangeCursor, ChangeKind, LongColumns};
pub use self::list::{ConversationCursor, ConversationFilter, ConversationKey, ConversationOrder};
pub use self::metadata::Metadata;
pub use self::page::{DEFAULT_PAGE, MAXIMUM_PAGE, Page, Slice};
pub use self::search::{Hit, SearchCursor, SearchFilter, SearchScope};
pub use self::send::{OnBusy, SendMessage};
pub use self::span::Span;
pub use self::tree::{
    ActivateMessage, Activated, DeleteMessage, Deleted, EditMessage, Family, ForkConversation,
    RegenerateReply, Regenerated, SiblingPage, SiblingPlace, SiblingRank, resume_steps,
};
pub use self::turn::Sent;
use crate::auth::Viewer;
use crate::database::{Database, Write};
use crate::error::Error;
use crate::memory::MemoryBudget;
use crate::reply::{Claim, Replies};
use crate::signal::Topic;

/// The bounds on what a viewer may store.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many characters a message may have.
    pub message_chars: usize,
    /// How many replies of a user may wait for others of their conversations to end.
    pub user_queued: u32,
    /// How long a deleted conversation can be restored.
    pub trash: Duration,
}

/// One viewer's conversations.
#[derive(Clone, Debug)]
pub struct Chat {
    database: Database,
    replies: Replies,
    limits: Limits,
    viewer: Viewer,
    budget: MemoryBudget,
}

impl Chat {
    /// Opens `viewer`'s conversations. What is read of them is taken out of `budget`.
    #[must_use]
    pub fn new(
        database: Database,
        replies: Replies,
        limits: Limits,
        viewer: Viewer,
        budget: MemoryBudget,
    ) -> Self {
        Self { database, replies, limits, viewer, budget }
    }

    /// Whose conversations these are.
    #[must_use]
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Takes room for `bytes` of text that an answer repeats.
    ///
    /// # Errors
    /// As [`MemoryBudget::take`].
    pub fn take(&self, bytes: usize) -> Result<(), Error> {
        self.budget.take(bytes)
    }

    fn user(&self) -> &str {
        self.viewer.id()
    }

    /// Runs `work` on `input` in a transaction of the viewer's, as [`Database::write`] does, and once it is committed
    /// what `work` says is due then. All of that is done even if the caller goes away.
    async fn write<I, T, W>(&self, input: I, work: W) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        W: for<'w> Fn(&'w Self, &'w Write, &'w I) -> BoxFuture<'w, Result<(T, AfterCommit), Error>>
            + Send
            + Sync
            + 'static,
    {
        let chat = self.clone();
        let after_commit = move |(value, due): (T, AfterCommit)| {
            chat.run_after_commit(due);
            value
        };
        self.database
            .write_then(
                self.user(),
                (self.clone(), input),
                move |write, (chat, input)| work(chat, write, input),
                after_commit,
            )
            .await
    }

    fn run_after_commit(&self, due: AfterCommit) {
        if let Some(claim) = due.begin {
            self.replies.write(claim);
        }
        for topic in due.wake {
            self.replies.signal(topic);
        }
        if due.changed {
            self.replies.signal(Topic::of_user(self.user()));
        }
    }
}

/// Waits for `work`, which is done to its end even if the caller goes away.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
}

/// What is due once a write is committed.
#[derive(Debug)]
struct AfterCommit {
    /// A reply that this server has the lease of.
    begin: Option<Claim>,
    /// Who is to look at the database.
    wake: Vec<Topic>,
    /// Whether the viewer's other devices have something to learn.
    changed: bool,
}

impl Default for AfterCommit {
    fn default() -> Self {
        Self { begin: None, wake: Vec::new(), changed: true }
    }
}

impl AfterCommit {
    /// Nothing was written.
    fn nothing() -> Self {
        Self { changed: false, ..Self::default() }
    }
}
