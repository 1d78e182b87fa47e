//! What this server has written of a reply so far.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use sea_orm::prelude::DateTimeUtc;
use tokio::sync::watch;

use super::ReplyPosition;
use super::chunk::{Chunk, Excerpt, Piece};
use super::draft::{Draft, Kind, Next};
use super::state::Bounds;
use crate::entity::message::ToolCall;

/// One attempt as it grows. Each reader reads from its own position at its own pace, so a slow reader costs no extra
/// memory.
#[derive(Debug)]
pub(super) struct Live {
    attempt: i32,
    draft: Mutex<Draft>,
    /// Wakes readers. It is true once this server has stopped generating: the row then has the reply's state.
    closed: watch::Sender<bool>,
}

/// An attempt that a reader has looked at, and what tells when there is more of it. A reader that is slow does not keep the
/// text.
pub(super) type LastLive = (Weak<Live>, watch::Receiver<bool>);

impl Live {
    pub(super) fn new(attempt: i32) -> Self {
        Self { attempt, draft: Mutex::default(), closed: watch::channel(false).0 }
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

    /// Makes readers go on with the row.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
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

    fn lock(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
