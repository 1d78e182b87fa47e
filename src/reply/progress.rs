//! Following a reply while it is generated, from any position, on any server.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use tokio::sync::watch;
use uuid::Uuid;

use super::chunk::Piece;
use super::live::{LastLive, Live};
use super::reader::Reader;
use super::{Replies, ReplyPosition};
use crate::entity::message::{self, ToolCall};
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

    /// As [`Self::progress`], of a reply that is known to be `user`'s: if this server generates it, nothing is read.
    #[must_use]
    pub(crate) fn progress_of_own(
        &self,
        user: &str,
        id: Uuid,
        after: ReplyPosition,
        budget: MemoryBudget,
    ) -> ReplyEvents {
        Reader::new(self, user, id, after, budget).with_known_row().into_events()
    }

    /// As [`Self::progress`], from where `row` ends, which was read as its owner's.
    #[must_use]
    pub(crate) fn progress_of(&self, row: &message::Model, budget: MemoryBudget) -> ReplyEvents {
        self.progress_of_own(&row.user_id, row.id, ReplyPosition::of(row), budget)
    }

    /// The attempt that this server generates of a reply, unless a reader at `position` has something of a later one.
    pub(super) fn live(&self, id: Uuid, position: ReplyPosition) -> Option<Arc<Live>> {
        let live = self.lock_running().get(&id).cloned()?;
        (position.attempt <= live.attempt()).then_some(live)
    }

    /// The same, for a reader that has looked at one `last`, and what tells when there is more.
    pub(super) fn live_after(
        &self,
        last: Option<LastLive>,
        id: Uuid,
        position: ReplyPosition,
    ) -> Option<(Arc<Live>, watch::Receiver<bool>)> {
        if let Some((live, news)) = last
            && let Some(live) = live.upgrade()
        {
            return Some((live, news));
        }
        let live = self.live(id, position)?;
        let news = live.follow();
        Some((live, news))
    }
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
