//! Following a reply while it is generated, from any position, on any server.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use tokio::sync::watch;
use uuid::Uuid;

use super::chunk::Piece;
use super::live::{LastLive, Live};
use super::reader::Reader;
use super::{Replies, ReplyPosition};
use crate::entity::message::{self, Status, ToolCall};
use crate::error::Error;
use crate::memory::MemoryBudget;

/// What a reader of a reply receives.
#[derive(Clone, Debug)]
pub enum ProgressEvent {
    /// The reply has begun.
    Started,
    /// More reasoning.
    Reasoning(String),
    /// More text.
    Text(String),
    /// A tool call, and the index of its part.
    ToolCall(usize, ToolCall),
    /// The reply was restarted, or its text is shorter than what the reader has, which is to be discarded.
    Restarted,
    /// The reply has ended; this is its row.
    Ended(Box<message::Model>),
}

/// What a reader of a reply gets, one event after another, each with the reader's position after it.
pub type ReplyEvents = BoxStream<'static, Result<(ProgressEvent, ReplyPosition), Error>>;

impl Replies {
    /// Follows a reply of `user` from `after` on, or from its start: the parts so far, then new ones, then the end. The
    /// texts since the last [`ProgressEvent::Restarted`] are the reply's content. Each has at most 64 KiB, and a tool call
    /// comes whole. Their sizes, and that of the row at the end, are taken out of `budget` before they are given out; those
    /// of a tool call of more than 32 KiB, and of the row, before they are read.
    ///
    /// The stream does nothing until its next event is asked for. It waits while the database is unavailable, and for
    /// up to 30 seconds while there is no memory. A reply that this server generates costs one statement. The
    /// row of another is read at each signal, and at least once a second, once for all who follow it on this server.
    ///
    /// The stream fails with [`Error::NotFound`] if the user has no such reply, or no longer, and as
    /// [`MemoryBudget::take`] does.
    #[must_use]
    pub fn progress(
        &self,
        user: &str,
        id: Uuid,
        after: Option<ReplyPosition>,
        budget: MemoryBudget,
    ) -> ReplyEvents {
        Reader::new(self, user, id, after.unwrap_or(ReplyPosition::START), budget).into_events()
    }

    /// As [`Self::progress`], of a reply that is known to be `user`'s, and of which earlier attempts than `attempt` are over:
    /// if this server generates it, nothing is read.
    #[must_use]
    pub(crate) fn progress_since(
        &self,
        user: &str,
        id: Uuid,
        after: Option<ReplyPosition>,
        attempt: i32,
        budget: MemoryBudget,
    ) -> ReplyEvents {
        let after = after.unwrap_or(ReplyPosition::START);
        Reader::new(self, user, id, after, budget).with_known_row(attempt).into_events()
    }

    /// The same of a reply whose row was read as its owner's, or stored.
    #[must_use]
    pub(crate) fn progress_of(
        &self,
        row: &message::Model,
        after: Option<ReplyPosition>,
        budget: MemoryBudget,
    ) -> ReplyEvents {
        self.progress_since(&row.user_id, row.id, after, followed_attempt(row.status, row.attempt), budget)
    }

    /// What this server generates of a reply of `user`, unless that is an attempt before this one.
    pub(super) fn live(&self, user: &str, id: Uuid, attempt: i32) -> Option<Arc<Live>> {
        let live = self.lock_running().get(&id).cloned()?;
        (live.user() == user && live.attempt() >= attempt).then_some(live)
    }

    /// The same, for a reader that has looked at one `last`, and what tells when there is more.
    pub(super) fn live_after(
        &self,
        last: Option<LastLive>,
        user: &str,
        id: Uuid,
        attempt: i32,
    ) -> Option<(Arc<Live>, watch::Receiver<bool>)> {
        if let Some((live, news)) = last
            && let Some(live) = live.upgrade()
        {
            return Some((live, news));
        }
        let live = self.live(user, id, attempt)?;
        let news = live.follow();
        Some((live, news))
    }
}

/// The attempt that readers follow of a reply which has come to `attempt`: the next one, if it is queued.
pub(super) fn followed_attempt(status: Status, attempt: i32) -> i32 {
    attempt + i32::from(status == Status::Queued)
}

impl ProgressEvent {
    /// How many bytes of text it brings by itself.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Reasoning(text) | Self::Text(text) => text.len(),
            Self::ToolCall(_, call) => call.bytes(),
            Self::Started | Self::Restarted | Self::Ended(_) => 0,
        }
    }
}

impl From<Piece> for ProgressEvent {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Text(text) => Self::Text(text),
            Piece::Reasoning(text) => Self::Reasoning(text),
            Piece::ToolCall(index, call) => Self::ToolCall(index, call),
        }
    }
}
