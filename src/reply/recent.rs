//! The end of a reply, for those who have nearly all of it.

use std::collections::VecDeque;

use super::ReplyPosition;
use super::chunk::Piece;

/// How many bytes are kept. A reply has about 100 more at each checkpoint.
pub(super) const RECENT_BYTES: usize = 32 * 1024;

/// Up to which length a piece takes those that follow it.
const JOINED_BYTES: usize = 1024;

/// The newest pieces of an attempt, one behind the other.
#[derive(Debug)]
pub(super) struct Recent {
    /// Each with the place where it begins.
    pieces: VecDeque<(ReplyPosition, Piece)>,
    bytes: usize,
    end: ReplyPosition,
}

impl Recent {
    /// Nothing, up to `end`.
    pub(super) fn at(end: ReplyPosition) -> Self {
        Self { pieces: VecDeque::new(), bytes: 0, end }
    }

    /// What a reader has who has all of it.
    pub(super) fn end(&self) -> ReplyPosition {
        self.end
    }

    /// Appends what follows, and forgets what is older than [`RECENT_BYTES`].
    pub(super) fn extend(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        for piece in pieces {
            self.bytes += piece.bytes();
            let end = piece.end(self.end);
            let start = std::mem::replace(&mut self.end, end);
            // Words come one by one.
            match (self.pieces.back_mut(), piece) {
                (Some((_, Piece::Text(last))), Piece::Text(text)) if last.len() < JOINED_BYTES => {
                    last.push_str(&text);
                }
                (Some((_, Piece::Reasoning(last))), Piece::Reasoning(text)) if last.len() < JOINED_BYTES => {
                    last.push_str(&text);
                }
                (_, piece) => self.pieces.push_back((start, piece)),
            }
        }
        while self.bytes > RECENT_BYTES
            && let Some((_, oldest)) = self.pieces.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// What follows `position`; `None` if not all of it is here.
    pub(super) fn after(&self, position: ReplyPosition) -> Option<VecDeque<Piece>> {
        if position == self.end {
            return Some(VecDeque::new());
        }
        let found = self
            .pieces
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, (start, piece))| rest(*start, piece, position).map(|rest| (index, rest)));
        let (index, first) = found?;
        let later = self.pieces.range(index + 1..).map(|(_, piece)| piece.clone());
        Some([first].into_iter().chain(later).collect())
    }
}

/// What follows `position` in the piece that begins at `start`.
pub(super) fn rest(start: ReplyPosition, piece: &Piece, position: ReplyPosition) -> Option<Piece> {
    if start == position {
        return Some(piece.clone());
    }
    let after = |text: &str, had: usize| text.get(had..).filter(|rest| !rest.is_empty()).map(str::to_owned);
    match piece {
        Piece::Text(text) if start == (ReplyPosition { text: start.text, ..position }) => {
            after(text, position.text.checked_sub(start.text)?).map(Piece::Text)
        }
        Piece::Reasoning(text) if start == (ReplyPosition { reasoning: start.reasoning, ..position }) => {
            after(text, position.reasoning.checked_sub(start.reasoning)?).map(Piece::Reasoning)
        }
        Piece::Text(_) | Piece::Reasoning(_) | Piece::ToolCall(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: usize, reasoning: usize) -> ReplyPosition {
        ReplyPosition { attempt: 1, text, reasoning, calls: 0 }
    }

    fn recent(end: ReplyPosition, pieces: &[Piece]) -> Recent {
        let mut recent = Recent::at(end);
        recent.extend(pieces.iter().cloned());
        recent
    }

    /// The pieces in brief.
    fn after(recent: &Recent, position: ReplyPosition) -> Option<String> {
        let brief = |piece: Piece| match piece {
            Piece::Text(text) => text,
            Piece::Reasoning(text) => format!("[{text}]"),
            Piece::ToolCall(..) => "call".to_owned(),
        };
        Some(recent.after(position)?.into_iter().map(brief).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn who_is_within_it_gets_the_rest_and_others_nothing() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let recent = recent(at(5, 0), &[text("né"), Piece::Reasoning("hm".to_owned()), text("x"), text("y")]);
        assert_eq!(recent.end(), at(10, 2));
        for (position, rest) in [
            (at(5, 0), Some("né [hm] xy")),
            (at(6, 0), Some("é [hm] xy")),
            (at(8, 0), Some("[hm] xy")),
            (at(8, 1), Some("[m] xy")),
            (at(8, 2), Some("xy")),
            (at(9, 2), Some("y")),
            (at(10, 2), Some("")),
            // Before it, within a character, beyond it, and on no way there.
            (at(4, 0), None),
            (at(7, 0), None),
            (at(11, 2), None),
            (at(9, 1), None),
            (ReplyPosition { attempt: 2, ..at(8, 2) }, None),
            (ReplyPosition { calls: 1, ..at(8, 2) }, None),
        ] {
            assert_eq!(after(&recent, position).as_deref(), rest, "{position:?}");
        }
    }

    #[test]
    fn it_forgets_what_is_old() {
        let word = "x".repeat(RECENT_BYTES / 4);
        let recent = recent(at(0, 0), &vec![Piece::Text(word.clone()); 9]);
        assert_eq!(recent.end().text, 9 * word.len());
        assert_eq!((recent.pieces.len(), recent.bytes), (4, RECENT_BYTES));
        assert!(recent.after(at(0, 0)).is_none() && recent.after(at(5 * word.len(), 0)).is_some());
    }
}
