//! What a viewer may do: every query and every rule.
//!
//! [`Chat`] is the only access to rows, and it cannot be made without a viewer. It reads and writes that viewer's rows,
//! and has no way to name another user's.

mod changes;
mod choice;
mod columns;
mod conversations;
mod feedback;
mod list;
mod messages;
mod metadata;
mod metadata_index;
mod metadata_search;
mod new_message;
mod open;
mod page;
mod path;
mod path_page;
mod position_range;
mod read;
mod receipt;
mod replies;
mod reply_requests;
mod search;
mod send;
mod send_statement;
mod settings;
mod text;
mod trash;
mod tree;
mod unended;
mod unread;
mod update;
mod usage;

use clap::Args;
use futures_util::future::BoxFuture;

pub use self::changes::{Change, ChangeCursor, ChangeKind, FeedContent, FeedEvent, LongColumns};
pub use self::choice::Choice;
pub use self::columns::MessageColumns;
pub use self::conversations::CreateConversation;
pub use self::feedback::RateReply;
pub use self::list::{
    ConversationCursor, ConversationFilter, ConversationKey, ConversationOrder, ConversationPage,
    ConversationState, ListSelection,
};
pub use self::messages::UpdateMessageMetadata;
pub use self::metadata::Metadata;
pub use self::metadata_index::MetadataFilter;
pub use self::new_message::Sent;
pub use self::page::{CountedPage, DEFAULT_PAGE, MAXIMUM_PAGE, Page, Slice};
pub use self::path_page::PathPage;
pub use self::position_range::PositionRange;
pub use self::replies::{RetryReply, StopReply};
pub use self::reply_requests::{ReplyRequest, Requested};
pub use self::search::{Hit, SearchCursor, SearchFilter, SearchScope};
pub use self::send::{OnBusy, SendMessage};
pub use self::settings::{ConfigureViewer, ConversationSettings, Patch};
pub use self::trash::{DeleteConversation, DeleteConversations, RestoreConversation, RestoreConversations};
pub use self::tree::{
    ActivateMessage, Activated, DeleteMessage, Deleted, EditMessage, ForkConversation, RegenerateReply,
    Regenerated, SiblingGroup, SiblingKey, SiblingPage, SiblingRank, resume_steps,
};
pub use self::unended::{Question, QueuePosition, Unended, UnendedReplies};
pub use self::unread::MarkRead;
pub use self::update::{
    ConversationChanges, MAX_CONVERSATIONS, Outcomes, UpdateConversation, UpdateConversations, check_count,
};
pub use self::usage::UsageDay;
use crate::auth::Viewer;
use crate::database::{Database, FastPath, Write};
use crate::error::Error;
use crate::memory::MemoryBudget;
use crate::options::{self, size};
use crate::reply::{Claim, Replies};
use crate::rest::HeavyTask;
use crate::signal::Topic;

/// The bounds on what a viewer may store.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Conversations")]
#[group(skip)]
pub struct Limits {
    /// A message may have at most this many characters. A longer one is refused with `BAD_USER_INPUT`.
    #[arg(long = "max-message-chars", env = "CAUSERIE_MAX_MESSAGE_CHARS", value_name = "NUMBER",
        default_value_t = 32_000, value_parser = size(1..=1_000_000))]
    pub message_chars: usize,
    /// The instructions of the operator, of a user and of a conversation may each have at most this many characters. Longer
    /// ones of users are refused with `BAD_USER_INPUT`.
    #[arg(long = "max-instructions-chars", env = "CAUSERIE_MAX_INSTRUCTIONS_CHARS", value_name = "NUMBER",
        default_value_t = 8000, value_parser = size(1..=1_000_000))]
    pub instructions_chars: usize,
    /// One user may have at most this many replies queued, on all servers together. More are refused with `RATE_LIMITED`.
    #[arg(
        long = "max-user-queued",
        env = "CAUSERIE_MAX_USER_QUEUED",
        value_name = "NUMBER",
        default_value_t = 500
    )]
    pub user_queued: u32,
    /// How long a deleted conversation can be restored.
    #[command(flatten)]
    pub trash: crate::trash::Options,
}

impl Default for Limits {
    fn default() -> Self {
        options::defaults()
    }
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
    /// Opens `viewer`'s conversations. The rows that are read count against `budget`.
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

    /// Takes `bytes` out of the memory budget, for text that an answer repeats.
    ///
    /// # Errors
    /// As [`MemoryBudget::take`].
    pub fn take(&self, bytes: usize) -> Result<(), Error> {
        self.budget.take(bytes)
    }

    fn user(&self) -> &str {
        self.viewer.id()
    }

    /// As [`Database::heavy_work`].
    fn heavy_work(&self) -> HeavyTask {
        self.database.heavy_work(self.user())
    }

    /// Runs `work` on `input` in a transaction of the viewer, as [`Database::write`] does. Once it is committed, the
    /// viewer's devices are signalled that there are changes, unless `work` calls [`unchanged`].
    async fn write<I, T, W>(&self, input: I, work: W) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        W: for<'w> Fn(&'w Self, &'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        self.write_fast(|_, _| None, input, work).await
    }

    /// As [`Self::write`], but what `path` makes is tried first, as [`Database::write_fast`] does. It signals by itself.
    async fn write_fast<I, T, P, W>(&self, path: P, input: I, work: W) -> Result<T, Error>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        P: FnOnce(&Self, &I) -> Option<FastPath<T>> + Send + 'static,
        W: for<'w> Fn(&'w Self, &'w Write, &'w I) -> BoxFuture<'w, Result<T, Error>> + Send + Sync + 'static,
    {
        let input = (self.clone(), input);
        let path = move |(chat, input): &(Self, I)| path(chat, input);
        self.database
            .write_fast(self.user(), path, input, move |write, (chat, input)| {
                chat.signal_after_commit(write, Topic::of_user(chat.user()));
                work(chat, write, input)
            })
            .await
    }

    /// Sends a signal once `write` is committed.
    fn signal_after_commit(&self, write: &Write, topic: Topic) {
        let replies = self.replies.clone();
        write.after_commit(move || replies.signal(topic));
    }

    /// Generates the claimed reply once `write` is committed.
    fn generate_after_commit(&self, write: &Write, claim: Claim) {
        let replies = self.replies.clone();
        write.after_commit(move || replies.generate(claim));
    }
}

/// Runs `work` in a task of its own, so that dropping the returned future does not drop it.
async fn spawn_and_wait<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
}

/// Returns `value` from a transaction that has changed nothing, so nothing is signalled.
fn unchanged<T>(write: &Write, value: T) -> T {
    write.clear_after_commit();
    value
}
