//! What an attempt has written: text and reasoning, and in what order they came.

use sea_orm::prelude::DateTimeUtc;

use super::ReplyPosition;
use crate::assistant::estimate;
use crate::entity::message::{self, Part, Parts, Reasoning, ToolCall};

/// Whether a piece of a reply is text or reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Reasoning,
}

/// What one attempt has written so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) content: String,
    pub(super) reasoning: String,
    pub(super) parts: Parts,
}

impl Draft {
    /// What is stored in a row.
    pub(super) fn of(row: &message::Model) -> Self {
        Self { content: row.content.clone(), reasoning: row.reasoning.clone(), parts: row.parts.clone() }
    }

    /// Appends a piece. NUL is left out, as PostgreSQL cannot store it.
    pub(super) fn push(&mut self, kind: Kind, piece: &str, now: DateTimeUtc) {
        let text = match kind {
            Kind::Text => &mut self.content,
            Kind::Reasoning => &mut self.reasoning,
        };
        let before = text.len();
        text.extend(piece.chars().filter(|c| *c != '\0'));
        let more = text.len() - before;
        match (kind, self.parts.0.last_mut()) {
            _ if more == 0 => {}
            (Kind::Text, Some(Part::Text(bytes))) => *bytes += more,
            (Kind::Reasoning, Some(Part::Reasoning(part))) => part.bytes += more,
            (Kind::Text, _) => self.begin(Part::Text(more), now),
            (Kind::Reasoning, _) => {
                self.begin(
                    Part::Reasoning(Reasoning { bytes: more, started_at: now, finished_at: None }),
                    now,
                );
            }
        }
    }

    /// Appends a tool call.
    pub(super) fn push_call(&mut self, call: ToolCall, now: DateTimeUtc) {
        self.begin(Part::ToolCall(call), now);
    }

    /// Notes that nothing more comes.
    pub(super) fn finish(&mut self, now: DateTimeUtc) {
        self.parts.finish(now);
    }

    fn begin(&mut self, part: Part, now: DateTimeUtc) {
        self.finish(now);
        self.parts.0.push(part);
    }

    /// About how many bytes it takes to store.
    pub(super) fn bytes(&self) -> usize {
        self.content.len() + self.reasoning.len() + self.parts.bytes()
    }

    /// How many tokens it has by estimate.
    pub(super) fn tokens(&self) -> u32 {
        let calls = self.parts.tool_calls().flat_map(|call| [call.name.as_str(), call.arguments.as_str()]);
        let texts = [self.content.as_str(), self.reasoning.as_str()].into_iter().chain(calls);
        texts.map(estimate::tokens).fold(0, u32::saturating_add)
    }

    pub(super) fn size(&self) -> Size {
        Size {
            text: self.content.len(),
            reasoning: self.reasoning.len(),
            calls: self.parts.tool_calls().count(),
        }
    }

    /// The parts as they are stored: none for text alone.
    pub(super) fn stored_parts(&self) -> Parts {
        match self.parts.0.as_slice() {
            [Part::Text(_)] => Parts::default(),
            _ => self.parts.clone(),
        }
    }
}

/// How many bytes of text and of reasoning there are, and how many tool calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) text: usize,
    pub(super) reasoning: usize,
    pub(super) calls: usize,
}

/// What follows a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next<'p> {
    /// So many bytes of one part.
    Piece(Kind, usize),
    /// The tool call that is the part with this index.
    Call(usize, &'p ToolCall),
}

impl Size {
    /// What follows `position`; `None` at the end. Where more than one kind is left, `parts` tells their order.
    pub(super) fn next(self, parts: &Parts, position: ReplyPosition) -> Option<Next<'_>> {
        let text = self.text.saturating_sub(position.text);
        let reasoning = self.reasoning.saturating_sub(position.reasoning);
        match (text, reasoning, self.calls.saturating_sub(position.calls)) {
            (0, 0, 0) => None,
            (text, 0, 0) => Some(Next::Piece(Kind::Text, text)),
            (0, reasoning, 0) => Some(Next::Piece(Kind::Reasoning, reasoning)),
            _ => next_of(parts, position),
        }
    }
}

/// The first part of which something follows `position`.
fn next_of(parts: &Parts, position: ReplyPosition) -> Option<Next<'_>> {
    let ReplyPosition { mut text, mut reasoning, mut calls, .. } = position;
    parts.0.iter().enumerate().find_map(|(index, part)| {
        let (kind, had, bytes) = match part {
            Part::Text(bytes) => (Kind::Text, &mut text, *bytes),
            Part::Reasoning(part) => (Kind::Reasoning, &mut reasoning, part.bytes),
            Part::ToolCall(call) if calls == 0 => return Some(Next::Call(index, call)),
            Part::ToolCall(_) => {
                calls -= 1;
                return None;
            }
        };
        let left = bytes.saturating_sub(*had);
        *had = had.saturating_sub(bytes);
        (left > 0).then_some(Next::Piece(kind, left))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTimeUtc = DateTimeUtc::UNIX_EPOCH;

    fn draft(pieces: &[(Kind, &str)]) -> Draft {
        let mut draft = Draft::default();
        for (kind, piece) in pieces {
            draft.push(*kind, piece, NOW);
        }
        draft
    }

    #[test]
    fn pieces_of_one_kind_are_one_part() {
        let draft =
            draft(&[(Kind::Text, "a"), (Kind::Text, "\0é"), (Kind::Reasoning, "\0"), (Kind::Text, "b")]);
        assert_eq!((draft.content.as_str(), &draft.parts.0[..]), ("aéb", &[Part::Text(4)][..]));
        assert_eq!(draft.stored_parts(), Parts::default());
    }

    #[test]
    fn a_part_of_reasoning_is_finished_by_what_follows_it() {
        let mut draft = draft(&[(Kind::Reasoning, "hm"), (Kind::Text, "a"), (Kind::Reasoning, "oh")]);
        let finished = |draft: &Draft| {
            let reasonings = draft.parts.0.iter().filter_map(|part| match part {
                Part::Reasoning(part) => Some(part.finished_at.is_some()),
                _ => None,
            });
            reasonings.collect::<Vec<_>>()
        };
        assert_eq!(finished(&draft), [true, false]);
        draft.finish(NOW);
        assert_eq!(finished(&draft), [true, true]);
        assert_eq!(draft.stored_parts().0.len(), 3);
    }

    #[test]
    fn the_next_piece_is_of_the_part_that_is_not_read_yet() {
        let draft = draft(&[
            (Kind::Reasoning, "hm"),
            (Kind::Text, "abc"),
            (Kind::Reasoning, "oh"),
            (Kind::Text, "d"),
        ]);
        let next = |text, reasoning| {
            let position = ReplyPosition { attempt: 1, text, reasoning, calls: 0 };
            match draft.size().next(&draft.parts, position) {
                Some(Next::Piece(kind, bytes)) => Some((kind, bytes)),
                _ => None,
            }
        };
        assert_eq!(next(0, 0), Some((Kind::Reasoning, 2)));
        assert_eq!(next(0, 1), Some((Kind::Reasoning, 1)));
        assert_eq!(next(1, 2), Some((Kind::Text, 2)));
        assert_eq!(next(3, 2), Some((Kind::Reasoning, 2)));
        assert_eq!(next(3, 4), Some((Kind::Text, 1)));
        assert_eq!(next(4, 4), None);
    }

    #[test]
    fn a_tool_call_comes_where_it_stands() {
        let call = ToolCall { call_id: "c".to_owned(), name: "n".to_owned(), arguments: "{}".to_owned() };
        let mut draft = draft(&[(Kind::Text, "a")]);
        draft.push_call(call.clone(), NOW);
        draft.push_call(call.clone(), NOW);
        draft.push(Kind::Text, "b", NOW);
        let next = |text, calls| {
            draft.size().next(&draft.parts, ReplyPosition { attempt: 1, text, reasoning: 0, calls })
        };
        assert_eq!(next(0, 0), Some(Next::Piece(Kind::Text, 1)));
        assert_eq!(next(1, 0), Some(Next::Call(1, &call)));
        assert_eq!(next(1, 1), Some(Next::Call(2, &call)));
        assert_eq!(next(1, 2), Some(Next::Piece(Kind::Text, 1)));
        assert_eq!(next(2, 2), None);
    }
}
