//! What follows a position in a reply, a little at a time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ReplyPosition;
use super::draft::{Kind, Next, Size};
use crate::entity::message::{Parts, ToolCall};

/// How many bytes of a reply are read at a time: what each memory budget has without asking.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// How many of them tool calls may have. A single one that has more is read by itself, once there is memory for it.
pub(super) const CALL_BYTES: usize = CHUNK_BYTES / 2;

/// What follows a position.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Pieces of text and reasoning and tool calls, in order; none at the end.
    Pieces(VecDeque<Piece>),
    /// A tool call of about so many bytes, for which there was no room.
    TooLarge(usize),
    /// Nothing: there is no such position, as the reply is shorter, or the position is within a character.
    Nowhere,
}

/// A piece of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Piece {
    Text(String),
    Reasoning(String),
    /// A tool call whole, and the index of its part.
    ToolCall(usize, ToolCall),
}

/// What was read after a position, not in order yet. Both texts may end within a character, and before their part does.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    pub(super) text: Vec<u8>,
    pub(super) reasoning: Vec<u8>,
    /// How many tool calls were read.
    pub(super) calls: usize,
    /// How many bytes the first tool call has, whether it was read or not.
    pub(super) call_bytes: usize,
}

impl Piece {
    /// A piece of text or reasoning.
    pub(super) fn new(kind: Kind, piece: impl Into<String>) -> Self {
        match kind {
            Kind::Text => Self::Text(piece.into()),
            Kind::Reasoning => Self::Reasoning(piece.into()),
        }
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Reasoning(text) => text.len(),
            Self::ToolCall(_, call) => call.bytes(),
        }
    }

    /// Where a reader is that was at `position` and has this piece.
    pub(super) fn end(&self, position: ReplyPosition) -> ReplyPosition {
        let ReplyPosition { text, reasoning, calls, .. } = position;
        match self {
            Self::Text(more) => ReplyPosition { text: text + more.len(), ..position },
            Self::Reasoning(more) => ReplyPosition { reasoning: reasoning + more.len(), ..position },
            Self::ToolCall(..) => ReplyPosition { calls: calls + 1, ..position },
        }
    }
}

impl Chunk {
    /// Puts what was read after `position` into order.
    pub(super) fn new(size: Size, parts: &Parts, position: ReplyPosition, excerpt: Excerpt) -> Self {
        let call_bytes = excerpt.call_bytes;
        match pieces(size, parts, position, excerpt) {
            None => Self::Nowhere,
            Some(pieces) if pieces.is_empty() && follows_call(size, parts, position) => {
                Self::TooLarge(call_bytes)
            }
            Some(pieces) => Self::Pieces(pieces),
        }
    }
}

fn follows_call(size: Size, parts: &Parts, position: ReplyPosition) -> bool {
    matches!(size.next(parts, position), Some(Next::Call(..)))
}

fn pieces(
    size: Size,
    parts: &Parts,
    mut position: ReplyPosition,
    excerpt: Excerpt,
) -> Option<VecDeque<Piece>> {
    if position.exceeds(ReplyPosition::end_of(position.attempt, size)) {
        return None;
    }
    let (mut text, mut reasoning) = (whole_characters(excerpt.text)?, whole_characters(excerpt.reasoning)?);
    let last_call = position.calls + excerpt.calls;
    let mut pieces = VecDeque::new();
    while let Some(next) = size.next(parts, position) {
        let piece = match next {
            Next::Call(..) if position.calls == last_call => break,
            Next::Call(index, call) => Piece::ToolCall(index, call.clone()),
            Next::Piece(kind, bytes) => {
                let from = match kind {
                    Kind::Text => &mut text,
                    Kind::Reasoning => &mut reasoning,
                };
                if from.is_empty() {
                    break;
                }
                let rest = from.split_off(from.floor_char_boundary(bytes));
                let piece = std::mem::replace(from, rest);
                if piece.is_empty() {
                    return None;
                }
                Piece::new(kind, piece)
            }
        };
        position = piece.end(position);
        pieces.push_back(piece);
    }
    Some(pieces)
}

/// The whole characters; `None` if the bytes do not begin with one.
fn whole_characters(mut bytes: Vec<u8>) -> Option<String> {
    if let Err(error) = std::str::from_utf8(&bytes) {
        let whole = error.valid_up_to();
        if whole == 0 {
            return None;
        }
        bytes.truncate(whole);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::message::Part;

    #[test]
    fn a_chunk_is_of_whole_characters() {
        let text = |bytes: &[u8]| whole_characters(bytes.to_vec());
        assert_eq!(text(b""), Some(String::new()));
        assert_eq!(text("né".as_bytes()), Some("né".to_owned()));
        assert_eq!(text(&"né".as_bytes()[..2]), Some("n".to_owned()));
        assert_eq!(text(&"né".as_bytes()[2..]), None);
    }

    #[test]
    fn a_chunk_ends_before_a_tool_call_that_was_not_read() {
        let call = || {
            let name = "n".to_owned();
            Part::ToolCall(ToolCall { call_id: "c".to_owned(), name, arguments: String::new() })
        };
        let parts = Parts(vec![Part::Text(1), call(), call()]);
        let size = Size { text: 1, reasoning: 0, calls: 2 };
        let chunk = |text: usize, calls: usize, read: usize| {
            let excerpt =
                Excerpt { text: b"a"[text..].to_vec(), calls: read, call_bytes: 9, ..Excerpt::default() };
            let position = ReplyPosition { attempt: 1, text, reasoning: 0, calls };
            match Chunk::new(size, &parts, position, excerpt) {
                Chunk::Pieces(pieces) => pieces.len(),
                Chunk::TooLarge(9) => 90,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((chunk(0, 0, 0), chunk(0, 0, 1), chunk(0, 0, 2)), (1, 2, 3));
        assert_eq!((chunk(1, 0, 0), chunk(1, 1, 1), chunk(1, 2, 0)), (90, 1, 0));
    }
}
