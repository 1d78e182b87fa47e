//! What this server has written of a reply so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sea_orm::prelude::DateTimeUtc;
use tokio::sync::watch;

use super::ReplyPosition;
use super::chunk::{Chunk, Excerpt, Piece};
use super::draft::{Draft, Kind, Next};
use super::state::Bounds;
use crate::entity::message::{self, ToolCall};

/// One attempt as it grows. Each reader reads from its own position at its own pace, so a slow reader costs no extra
/// memory.
#[derive(Debug)]
pub(super) struct Live {
    user: String,
    attempt: i32,
    draft: Mutex<Draft>,
    /// Wakes readers. It is true once this server has stopped generating.
    closed: watch::Sender<bool>,
    /// Wakes those who wait for the end alone, once this server has stopped generating.
    end: watch::Sender<Option<End>>,
}

/// The row of a reply as this server has stored it with its end. Without one, what became of the reply is in the database.
pub(super) type End = Option<Arc<message::Model>>;

/// An attempt that a reader has looked at, and what tells when there is more of it. A reader that is slow does not keep the
/// text.
pub(super) type LastLive = (Weak<Live>, watch::Receiver<bool>);

impl Live {
    pub(super) fn new(reply: &message::Model) -> Self {
        Self {
            user: reply.user_id.clone(),
            attempt: reply.attempt,
            draft: Mutex::default(),
            closed: watch::Sender::new(false),
            end: watch::Sender::new(None),
        }
    }

    /// Appends a piece.
    pub(super) fn push(&self, kind: Kind, piece: &str, now: DateTimeUtc) {
        self.change(|draft| draft.push(kind, piece, now));
    }

    /// Appends a tool call.
    pub(super) fn push_call(&self, call: ToolCall, now: DateTimeUtc) {
        self.change(|draft| draft.push_call(call, now));
    }

    fn change(&self, change: impl FnOnce(&mut Draft)) {
        change(&mut self.lock());
        // Wakes readers.
        self.closed.send_modify(|_| {});
    }

    /// Keeps the row that was stored with the end for those who follow or wait for it, if there are any.
    pub(super) fn end(&self, row: impl FnOnce() -> Option<message::Model>) {
        if self.closed.receiver_count() + self.end.receiver_count() > 0 {
            self.end.send_replace(Some(row().map(Arc::new)));
        }
    }

    /// Makes readers, and who waits, go on with the row.
    pub(super) fn close(&self) {
        self.end.send_if_modified(|end| end.is_none() && end.insert(None).is_none());
        self.closed.send_replace(true);
    }

    /// Whose reply it is.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn attempt(&self) -> i32 {
        self.attempt
    }

    /// All that was written so far.
    pub(super) fn draft(&self) -> Draft {
        self.lock().clone()
    }

    /// How many bytes were written so far.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    /// What follows `position`, within `bounds`: tool calls, or the piece that is next.
    pub(super) fn chunk(&self, position: ReplyPosition, bounds: Bounds) -> Chunk {
        let draft = self.lock();
        let size = draft.size();
        let mut excerpt = Excerpt::default();
        match size.next(&draft.parts, position) {
            Some(Next::Piece(kind, bytes)) => {
                let (from, start, into) = match kind {
                    Kind::Text => (&draft.content, position.text, &mut excerpt.text),
                    Kind::Reasoning => (&draft.reasoning, position.reasoning, &mut excerpt.reasoning),
                };
                let end = start.saturating_add(bytes.min(bounds.texts)).min(from.len());
                // Nearly always both are at characters' boundaries, and what is between them is the piece.
                if let Some(piece) = from.get(start..end).filter(|piece| !piece.is_empty())
                    && !position.exceeds(ReplyPosition::end_of(self.attempt, size))
                {
                    return Chunk::Pieces([Piece::new(kind, piece)].into());
                }
                into.extend_from_slice(from.as_bytes().get(start..end).unwrap_or_default());
            }
            Some(Next::Call(_, next)) => {
                excerpt.call_bytes = next.bytes();
                let sizes = draft.parts.tool_calls().skip(position.calls).map(ToolCall::bytes);
                let so_far = sizes.scan(0, |bytes, more| {
                    *bytes += more;
                    Some(*bytes)
                });
                excerpt.calls = so_far.take_while(|bytes| *bytes <= bounds.calls).count();
            }
            None => {}
        }
        Chunk::new(size, &draft.parts, position, excerpt)
    }

    /// Where somebody is who has asked for what follows `position`: the start, if that is of another attempt, and the end
    /// if there is no such position.
    pub(super) fn place(&self, position: ReplyPosition) -> ReplyPosition {
        let end = ReplyPosition::end_of(self.attempt, self.lock().size());
        match position {
            _ if position.attempt != self.attempt => ReplyPosition::start_of(self.attempt),
            _ if position.exceeds(end) => end,
            _ => position,
        }
    }

    /// Tells when there is more, and whether this server has stopped generating.
    pub(super) fn follow(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    /// The end, for who does not follow what comes before.
    pub(super) fn coming_end(&self) -> ComingEnd {
        ComingEnd(self.end.subscribe())
    }

    /// The end, if it has come.
    pub(super) fn stored_end(&self) -> End {
        self.end.borrow().clone().flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a reply that this server writes. It does not keep the text.
pub(super) struct ComingEnd(watch::Receiver<Option<End>>);

impl ComingEnd {
    /// Waits until this server no longer writes the reply.
    pub(super) async fn come(mut self) -> End {
        self.0.wait_for(Option::is_some).await.ok()?.clone().flatten()
    }
}
