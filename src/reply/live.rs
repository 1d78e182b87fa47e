//! What this server has written of a reply so far.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::prelude::DateTimeUtc;
use tokio::sync::watch;

use super::ReplyPosition;
use super::chunk::{Chunk, Excerpt};
use super::draft::{Draft, Kind, Next};
use super::state::Bounds;
use crate::entity::message::ToolCall;

/// One attempt as it grows. Each reader reads from its own position at its own pace, so a slow reader costs no extra
/// memory.
#[derive(Debug)]
pub(super) struct Live {
    attempt: i32,
    draft: Mutex<Draft>,
    extent: watch::Sender<Extent>,
}

/// How much there is, and whether more may come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// The bytes of text, reasoning and tool calls.
    pub(super) bytes: usize,
    /// Whether this server has stopped generating. The row then has the reply's state.
    pub(super) closed: bool,
}

impl Live {
    pub(super) fn new(attempt: i32) -> Self {
        Self { attempt, draft: Mutex::default(), extent: watch::channel(Extent::default()).0 }
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
        let bytes = {
            let mut draft = self.lock();
            change(&mut draft);
            draft.bytes()
        };
        self.extent.send_modify(|extent| extent.bytes = bytes);
    }

    /// Makes readers go on with the row.
    pub(super) fn close(&self) {
        self.extent.send_modify(|extent| extent.closed = true);
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
        self.extent.borrow().bytes
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

    pub(super) fn follow(&self) -> watch::Receiver<Extent> {
        self.extent.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
