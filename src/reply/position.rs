//! Places in a reply.

use super::draft::Size;
use crate::entity::message;

/// How much of a reply a reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyPosition {
    /// The attempt that the reader has something of.
    pub attempt: i32,
    /// How many bytes of its text the reader has.
    pub text: usize,
    /// How many bytes of its reasoning the reader has.
    pub reasoning: usize,
    /// How many of its tool calls the reader has.
    pub calls: usize,
}

impl ReplyPosition {
    /// Before the first attempt.
    pub const START: Self = Self::start_of(0);

    /// At the start of an attempt.
    #[must_use]
    pub const fn start_of(attempt: i32) -> Self {
        Self { attempt, text: 0, reasoning: 0, calls: 0 }
    }

    /// What a reader of this row has, if the reply has not ended.
    #[must_use]
    pub fn in_row(row: &message::Model) -> Option<Self> {
        let is_running = row.role == message::Role::Assistant && !row.status.is_terminal();
        is_running.then(|| Self::of(row))
    }

    /// What a reader has who has all of this row.
    pub(super) fn of(row: &message::Model) -> Self {
        Self {
            attempt: row.attempt,
            text: row.content.len(),
            reasoning: row.reasoning.len(),
            calls: row.parts.tool_calls().count(),
        }
    }

    /// What a reader has who has all of an attempt of this size.
    pub(super) fn end_of(attempt: i32, size: Size) -> Self {
        Self { attempt, text: size.text, reasoning: size.reasoning, calls: size.calls }
    }

    /// Whether there is something here that `other` does not have, of the same attempt.
    pub(super) fn exceeds(self, other: Self) -> bool {
        self.text > other.text || self.reasoning > other.reasoning || self.calls > other.calls
    }
}
