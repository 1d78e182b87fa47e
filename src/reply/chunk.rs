//! Reading a reply in chunks.

use std::collections::VecDeque;

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};
use uuid::Uuid;

use super::draft::{Kind, Next, Size};
use super::{Replies, ReplyPosition};
use crate::entity::message::{Parts, Status, ToolCall, VISIBLE};
use crate::error::Error;

/// How many bytes of a reply's text and reasoning together are read at a time: what each memory budget has without asking.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// The state of a reply, and the chunks of its text and reasoning: from byte `$4` and `$5` on if it is of attempt `$3`, or
/// else from its start; `$7` tool calls are known. The sizes are known without reading the texts. The parts are read where
/// tool calls or both kinds are left: they tell the order. Of two kinds, half a chunk is read of each.
const STATE: &str = "
SELECT status, attempt, text_bytes, reasoning_bytes, calls,
    CASE WHEN finished_at IS NULL THEN 0 ELSE octet_length(CAST(parts AS TEXT)) END AS parts_bytes,
    CASE WHEN $6 > 0 AND text_bytes > text_start THEN substr({content}, text_start + 1, {count}) END AS text,
    CASE WHEN $6 > 0 AND reasoning_bytes > reasoning_start
        THEN substr({reasoning}, reasoning_start + 1, {count}) END AS reasoning,
    CASE WHEN $6 > 0 AND (calls > calls_start OR text_bytes > text_start AND reasoning_bytes > reasoning_start)
        THEN parts END AS parts
FROM (
    SELECT status, attempt, finished_at, content, reasoning, parts,
        octet_length(content) AS text_bytes, octet_length(reasoning) AS reasoning_bytes,
        {calls} AS calls, CASE WHEN attempt = $3 THEN $7 ELSE 0 END AS calls_start,
        CASE WHEN attempt = $3 THEN $4 ELSE 0 END AS text_start,
        CASE WHEN attempt = $3 THEN $5 ELSE 0 END AS reasoning_start
    FROM message WHERE user_id = $1 AND id = $2 AND role = 'ASSISTANT' AND {visible}
) AS reply";

/// How many bytes are read of each kind.
const COUNT: &str =
    "CASE WHEN text_bytes > text_start AND reasoning_bytes > reasoning_start THEN $6 / 2 ELSE $6 END";

#[derive(FromQueryResult)]
struct Row {
    status: Status,
    attempt: i32,
    text_bytes: i32,
    reasoning_bytes: i32,
    calls: i32,
    parts_bytes: i32,
    text: Option<Vec<u8>>,
    reasoning: Option<Vec<u8>>,
    parts: Option<Parts>,
}

/// The state of a reply.
pub(super) struct State {
    pub(super) status: Status,
    pub(super) attempt: i32,
    /// How many bytes its texts have in all.
    pub(super) bytes: usize,
    pub(super) chunk: Chunk,
}

/// What follows a position: pieces of text and reasoning and tool calls, in order. `None` if there is no such position, as
/// the reply is shorter or the position is within a character.
#[derive(Debug)]
pub(super) struct Chunk(pub(super) Option<VecDeque<Piece>>);

/// A piece of one part.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Reasoning(String),
    /// A tool call whole, and the index of its part.
    ToolCall(usize, ToolCall),
}

impl Chunk {
    /// Puts what was read of text and reasoning after `position` into order. Either may end within a character, and
    /// before its part does.
    pub(super) fn new(
        size: Size,
        parts: &Parts,
        position: ReplyPosition,
        text: Vec<u8>,
        reasoning: Vec<u8>,
    ) -> Self {
        Self(pieces(size, parts, position, text, reasoning))
    }
}

fn pieces(
    size: Size,
    parts: &Parts,
    mut position: ReplyPosition,
    text: Vec<u8>,
    reasoning: Vec<u8>,
) -> Option<VecDeque<Piece>> {
    if position.text > size.text || position.reasoning > size.reasoning || position.calls > size.calls {
        return None;
    }
    let (mut text, mut reasoning) = (whole_characters(text)?, whole_characters(reasoning)?);
    let mut pieces = VecDeque::new();
    let mut bytes_of_calls = 0;
    while let Some(next) = size.next(parts, position) {
        let (kind, bytes) = match next {
            Next::Piece(kind, bytes) => (kind, bytes),
            Next::Call(index, call) => {
                bytes_of_calls += call.bytes();
                if bytes_of_calls > CHUNK_BYTES && !pieces.is_empty() {
                    break;
                }
                position.calls += 1;
                pieces.push_back(Piece::ToolCall(index, call.clone()));
                continue;
            }
        };
        let (from, read) = match kind {
            Kind::Text => (&mut text, &mut position.text),
            Kind::Reasoning => (&mut reasoning, &mut position.reasoning),
        };
        if from.is_empty() {
            break;
        }
        let rest = from.split_off(from.floor_char_boundary(bytes));
        let piece = std::mem::replace(from, rest);
        if piece.is_empty() {
            return None;
        }
        *read += piece.len();
        pieces.push_back(match kind {
            Kind::Text => Piece::Text(piece),
            Kind::Reasoning => Piece::Reasoning(piece),
        });
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

impl Replies {
    /// The state of a reply of `user`, with what follows `position`, or the start if the reply is of another attempt.
    /// `None` if the user has no such reply.
    pub(super) async fn state(
        &self,
        user: &str,
        id: Uuid,
        position: ReplyPosition,
    ) -> Result<Option<State>, Error> {
        self.read_state(user, id, position, CHUNK_BYTES).await
    }

    /// The status of a reply of `user`.
    pub(crate) async fn status(&self, user: &str, id: Uuid) -> Result<Option<Status>, Error> {
        Ok(self.read_state(user, id, ReplyPosition::START, 0).await?.map(|state| state.status))
    }

    async fn read_state(
        &self,
        user: &str,
        id: Uuid,
        position: ReplyPosition,
        count: usize,
    ) -> Result<Option<State>, Error> {
        let [content, reasoning, calls] = match self.0.database.backend() {
            DbBackend::Postgres => [
                "convert_to(content, 'UTF8')",
                "convert_to(reasoning, 'UTF8')",
                "(SELECT CAST(count(*) AS INTEGER) FROM jsonb_array_elements(CAST(parts AS JSONB)) AS part
                  WHERE part -> 'tool_call' IS NOT NULL)",
            ],
            _ => [
                "CAST(content AS BLOB)",
                "CAST(reasoning AS BLOB)",
                "(SELECT count(*) FROM json_each(parts) AS part
                  WHERE json_extract(part.value, '$.tool_call') IS NOT NULL)",
            ],
        };
        let sql = STATE.replace("{content}", content).replace("{reasoning}", reasoning);
        let sql = sql.replace("{calls}", calls).replace("{count}", COUNT);
        // No text is longer than an `i32` can count.
        let number = |bytes: usize| Value::from(i32::try_from(bytes).unwrap_or(i32::MAX - 1));
        let ReplyPosition { attempt, text, reasoning, calls } = position;
        let [text, reasoning, count, calls] = [text, reasoning, count, calls].map(number);
        let values = [user.into(), id.into(), attempt.into(), text, reasoning, count, calls];
        let statement = self.0.database.statement(sql.replace("{visible}", VISIBLE), values);
        let row =
            self.0.database.read_for(user, |connection| connection.query_one_raw(statement.clone())).await?;
        row.map(|row| Ok(Row::from_query_result(&row, "")?.into_state(position))).transpose()
    }
}

impl Row {
    fn into_state(self, position: ReplyPosition) -> State {
        let length = |bytes: i32| usize::try_from(bytes).unwrap_or_default();
        let size = Size {
            text: length(self.text_bytes),
            reasoning: length(self.reasoning_bytes),
            calls: length(self.calls),
        };
        let start =
            if position.attempt == self.attempt { position } else { ReplyPosition::start_of(self.attempt) };
        let (text, reasoning) = (self.text.unwrap_or_default(), self.reasoning.unwrap_or_default());
        State {
            status: self.status,
            attempt: self.attempt,
            bytes: size.text + size.reasoning + length(self.parts_bytes),
            chunk: Chunk::new(size, &self.parts.unwrap_or_default(), start, text, reasoning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_of_whole_characters() {
        let text = |bytes: &[u8]| whole_characters(bytes.to_vec());
        assert_eq!(text(b""), Some(String::new()));
        assert_eq!(text("né".as_bytes()), Some("né".to_owned()));
        assert_eq!(text(&"né".as_bytes()[..2]), Some("n".to_owned()));
        assert_eq!(text(&"né".as_bytes()[2..]), None);
    }
}
