//! Words for readers on other servers, before they are stored.
//!
//! A server on which somebody reads a reply that another one generates publishes once a second how far it has the reply.
//! The other one then publishes what follows, and all that comes later, in pieces and at even ticks, so that those of
//! many replies are sent together. Nothing of this is certain to arrive: who misses something publishes again how far it
//! is, and to whom nothing comes, the row has it at the next checkpoint, as it has the end of a reply.
//!
//! PostgreSQL has a statement with a few notifications at each tick, for all replies together, in place of one that reads
//! each reply at each checkpoint: with 200 readers at the usual checkpoints, about 50 to 100 a second in place of 800.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::chunk::{Chunk, Piece};
use super::live::Live;
use super::recent::rest;
use super::state::Bounds;
use super::{Replies, ReplyPosition};
use crate::signal::{Channel, TEXT_BYTES};

/// How often words are published at most.
const TICK: Duration = Duration::from_millis(20);

/// How many pieces of one reply are published at a tick. A reply that is faster for long is read from its row.
const PIECES: usize = 4;

/// How much a piece has at most. As JSON it is up to six times as long.
const PIECE: Bounds = Bounds { texts: TEXT_BYTES / 8, calls: TEXT_BYTES / 8 };

/// How often a server says that it reads a reply.
pub(super) const READERS_PERIOD: Duration = Duration::from_secs(1);

/// For how long it is taken to read on.
const READERS_LEASE: Duration = Duration::from_secs(3);

/// A piece of a reply, and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) start: ReplyPosition,
    pub(super) piece: Piece,
}

impl Words {
    /// As a line; `None` if it would be too long.
    fn encode(&self) -> Option<String> {
        let piece = serde_json::to_string(&self.piece).ok()?;
        let line = format!("{} {piece}", encode(self.start));
        (line.len() <= TEXT_BYTES).then_some(line)
    }

    /// What of the piece follows `position`, which is not before it; `None` if there is nothing.
    pub(super) fn after(self, position: ReplyPosition) -> Option<Piece> {
        if self.start == position { Some(self.piece) } else { rest(self.start, &self.piece, position) }
    }

    /// What another server has published; `None` if it is not understood.
    pub(super) fn decode(line: &str) -> Option<Self> {
        let (start, piece) = line.split_at(line.find('{')?);
        Some(Self { start: decode(start)?, piece: serde_json::from_str(piece).ok()? })
    }
}

fn encode(position: ReplyPosition) -> String {
    let ReplyPosition { attempt, text, reasoning, calls } = position;
    format!("{attempt} {text} {reasoning} {calls}")
}

fn decode(line: &str) -> Option<ReplyPosition> {
    let mut numbers = line.split_ascii_whitespace();
    let attempt = numbers.next()?.parse().ok()?;
    let mut number = || numbers.next()?.parse().ok();
    Some(ReplyPosition { attempt, text: number()?, reasoning: number()?, calls: number()? })
}

impl Replies {
    /// Tells the server that generates a reply that it is read here, and is known up to `position`.
    pub(super) fn ask_for_words(&self, id: Uuid, position: ReplyPosition) {
        self.0.signals.publish(Channel::Readers(id), encode(position));
    }

    /// Publishes what this server writes of a reply, while somebody reads it elsewhere.
    pub(super) async fn publish_words(&self, id: Uuid, live: &Live) -> Infallible {
        let mut readers = self.0.signals.subscribe(Channel::Readers(id));
        let mut news = live.follow();
        loop {
            let asked = readers.next().await;
            let Some(mut position) = decode(&asked).map(|asked| live.place(asked)) else { continue };
            let mut until = Instant::now() + READERS_LEASE;
            while Instant::now() < until {
                news.borrow_and_update();
                let published = self.publish_from(id, live, position);
                let more = published != position;
                position = published;
                let asked = tokio::select! {
                    asked = readers.next() => Some(asked),
                    _ = news.changed(), if !more => None,
                    () = std::future::ready(()), if more => None,
                    () = sleep_until(until) => None,
                };
                sleep_until(self.next_tick_of(TICK)).await;
                let waiting = std::iter::from_fn(|| readers.try_next());
                for asked in asked.into_iter().chain(waiting) {
                    until = Instant::now() + READERS_LEASE;
                    if let Some(asked) = decode(&asked).map(|asked| live.place(asked)) {
                        position = if position.exceeds(asked) { asked } else { position };
                    }
                }
            }
        }
    }

    /// Publishes a few pieces that follow `position`, and returns where they end.
    fn publish_from(&self, id: Uuid, live: &Live, mut position: ReplyPosition) -> ReplyPosition {
        for _ in 0..PIECES {
            match live.chunk(position, PIECE) {
                Chunk::Pieces(pieces) if pieces.is_empty() => break,
                Chunk::Pieces(pieces) => {
                    for piece in pieces {
                        let (start, end) = (position, piece.end(position));
                        if let Some(line) = (Words { start, piece }).encode() {
                            self.0.signals.publish(Channel::Words(id), line);
                        }
                        position = end;
                    }
                }
                // Readers find it in the row.
                Chunk::TooLarge(_) => position.calls += 1,
                Chunk::Nowhere => break,
            }
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::message::ToolCall;

    #[test]
    fn words_are_a_line_and_come_back() {
        let call =
            ToolCall { call_id: "c 1".to_owned(), name: "clock".to_owned(), arguments: "{\n}".to_owned() };
        let pieces = [
            Piece::Text("a {\"b\"}\r\n\u{2028} \u{1f642}".to_owned()),
            Piece::Reasoning(" ".to_owned()),
            Piece::ToolCall(3, call),
        ];
        for piece in pieces {
            let start = ReplyPosition { attempt: 2, text: 1 << 33, reasoning: 0, calls: 7 };
            let words = Words { start, piece };
            let line = words.encode().unwrap();
            assert_eq!(line.lines().count(), 1);
            assert_eq!(Words::decode(&line).unwrap(), words);
        }
        for nonsense in ["", "1 2 3 4", "1 2 3 {}", "1 2 3 4 {}", "1 2 3 -4 {\"text\":\"a\"}"] {
            assert_eq!(Words::decode(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_longest_piece_fits() {
        let start =
            ReplyPosition { attempt: i32::MAX, text: usize::MAX, reasoning: usize::MAX, calls: usize::MAX };
        let piece = Piece::Text("\u{1}".repeat(PIECE.texts));
        assert!(Words { start, piece }.encode().is_some());
    }
}
