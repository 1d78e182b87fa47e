//! Reading the row of a reply: its state, and what follows a position.

use std::sync::LazyLock;

use sea_orm::{ConnectionTrait, DbBackend, FromJsonQueryResult, FromQueryResult, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chunk::{Chunk, Excerpt};
use super::draft::Size;
use super::progress::followed_attempt;
use super::{Replies, ReplyPosition};
use crate::entity::message::{Parts, Status, VISIBLE};
use crate::error::Error;

/// The state of a reply, and what follows byte `$4` of its text, byte `$5` of its reasoning and `$7` tool calls, or its
/// start if it is of another attempt than `$3`. The sizes are known without reading the texts. `$6` bytes are read in
/// all: of two kinds of text half of them each, and a quarter each beside tool calls.
const STATE: &str = "
WITH reply AS MATERIALIZED (
    SELECT id, status, attempt, octet_length(content) AS text_bytes, octet_length(reasoning) AS reasoning_bytes,
        CASE WHEN finished_at IS NULL THEN 0 ELSE octet_length(CAST(parts AS TEXT)) END AS parts_bytes,
        {calls} AS calls,
        CASE WHEN attempt = $3 THEN $4 ELSE 0 END AS text_start,
        CASE WHEN attempt = $3 THEN $5 ELSE 0 END AS reasoning_start,
        CASE WHEN attempt = $3 THEN $7 ELSE 0 END AS calls_start
    FROM message WHERE user_id = $1 AND id = $2 AND role = 'ASSISTANT' AND {visible}
)
SELECT reply.status, reply.attempt, text_bytes, reasoning_bytes, calls, parts_bytes,
    CASE WHEN $6 > 0 AND text_bytes > text_start THEN substr({content}, text_start + 1, {count}) END AS text,
    CASE WHEN $6 > 0 AND reasoning_bytes > reasoning_start
        THEN substr({reasoning}, reasoning_start + 1, {count}) END AS reasoning,
    CASE WHEN $6 > 0 AND (calls > calls_start OR text_bytes > text_start AND reasoning_bytes > reasoning_start)
        THEN ({layout}) END AS layout
FROM reply JOIN message ON message.user_id = $1 AND message.id = reply.id";

/// How many bytes are read of each kind of text.
const COUNT: &str = "CASE WHEN calls > calls_start THEN $6 / 4
    WHEN text_bytes > text_start AND reasoning_bytes > reasoning_start THEN $6 / 2 ELSE $6 END";

/// The parts in their order. Of tool calls only those have their texts that follow the reader's and have `$8` bytes at
/// most together.
const LAYOUT: &str = "
SELECT {object}(
    'parts', {array}({json}(CASE WHEN is_call AND NOT is_read THEN {nothing} ELSE part END) ORDER BY place),
    'calls', count(*) FILTER (WHERE is_read),
    'call_bytes', COALESCE(min(bytes) FILTER (WHERE is_call AND number = calls_start + 1), 0))
FROM (
    SELECT place, part, is_call, bytes, number,
        is_call AND number > calls_start
        AND sum(CASE WHEN is_call AND number > calls_start THEN bytes ELSE 0 END) OVER (ORDER BY place) <= $8 AS is_read
    FROM (
        SELECT place, part, is_call, octet_length(CAST(part AS TEXT)) AS bytes,
            sum(CASE WHEN is_call THEN 1 ELSE 0 END) OVER (ORDER BY place) AS number
        FROM (SELECT {place} AS place, {part} AS part, {is_call} AS is_call FROM {elements}) AS element
    ) AS numbered
) AS measured";

/// What stands for a tool call that is not read.
const NOTHING: &str = r#"'{"tool_call": {"call_id": "", "name": "", "arguments": ""}}'"#;

static POSTGRES_STATE: LazyLock<String> = LazyLock::new(|| {
    sql(&[
        ("{content}", "convert_to(message.content, 'UTF8')"),
        ("{reasoning}", "convert_to(message.reasoning, 'UTF8')"),
        ("{calls}", "(SELECT CAST(count(*) AS INTEGER) FROM {elements} WHERE {is_call})"),
        ("{nothing}", "CAST({nothing} AS JSONB)"),
        ("{object}", "jsonb_build_object"),
        ("{array}", "jsonb_agg"),
        ("{json}", ""),
        ("{place}", "element.place"),
        ("{part}", "element.part"),
        ("{is_call}", "element.part -> 'tool_call' IS NOT NULL"),
        ("{elements}", "jsonb_array_elements(message.parts) WITH ORDINALITY AS element (part, place)"),
    ])
});

static SQLITE_STATE: LazyLock<String> = LazyLock::new(|| {
    sql(&[
        ("{content}", "CAST(message.content AS BLOB)"),
        ("{reasoning}", "CAST(message.reasoning AS BLOB)"),
        ("{calls}", "(SELECT count(*) FROM {elements} WHERE {is_call})"),
        ("{object}", "json_object"),
        ("{array}", "json_group_array"),
        ("{json}", "json"),
        ("{place}", "element.key"),
        ("{part}", "element.value"),
        ("{is_call}", "json_type(element.value, '$.tool_call') IS NOT NULL"),
        ("{elements}", "json_each(message.parts) AS element"),
    ])
});

/// [`STATE`] in the words of one of the databases.
fn sql(words: &[(&str, &str)]) -> String {
    let sql = STATE.replace("{layout}", LAYOUT).replace("{count}", COUNT).replace("{visible}", VISIBLE);
    let sql = words.iter().fold(sql, |sql, (name, word)| sql.replace(name, word));
    sql.replace("{nothing}", NOTHING)
}

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
    layout: Option<Layout>,
}

#[derive(Default, Serialize, Deserialize, FromJsonQueryResult)]
struct Layout {
    parts: Parts,
    /// How many tool calls have their texts.
    calls: usize,
    /// How many bytes the first tool call has that follows the reader's.
    call_bytes: usize,
}

/// The state of a reply.
#[derive(Debug)]
pub(super) struct State {
    pub(super) status: Status,
    pub(super) attempt: i32,
    pub(super) size: Size,
    /// How many bytes its texts have in all.
    pub(super) bytes: usize,
    pub(super) chunk: Chunk,
}

impl State {
    /// What a reader has who has all of it.
    pub(super) fn end(&self) -> ReplyPosition {
        ReplyPosition::end_of(self.attempt, self.size)
    }
}

/// How many bytes of a reply are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many of text and reasoning.
    pub(super) texts: usize,
    /// How many of tool calls.
    pub(super) calls: usize,
}

impl Replies {
    /// The state of a reply of `user`, with what follows `position`, or the start if the reply is of another attempt.
    /// `None` if the user has no such reply.
    pub(super) async fn state(
        &self,
        user: &str,
        id: Uuid,
        position: ReplyPosition,
        bounds: Bounds,
    ) -> Result<Option<State>, Error> {
        // No text is longer than an `i32` can count.
        let number = |bytes: usize| Value::from(i32::try_from(bytes).unwrap_or(i32::MAX - 1));
        let ReplyPosition { attempt, text, reasoning, calls } = position;
        let [text, reasoning, texts, calls, call_bytes] =
            [text, reasoning, bounds.texts, calls, bounds.calls].map(number);
        let values = [user.into(), id.into(), attempt.into(), text, reasoning, texts, calls, call_bytes];
        let database = &self.0.database;
        let sql = match database.backend() {
            DbBackend::Postgres => POSTGRES_STATE.as_str(),
            _ => SQLITE_STATE.as_str(),
        };
        let statement = database.statement(sql, values);
        let row = database.read_for(user, |connection| connection.query_one_raw(statement.clone())).await?;
        row.map(|row| Ok(Row::from_query_result(&row, "")?.into_state(position))).transpose()
    }

    /// The attempt at a reply of `user` that readers follow.
    pub(crate) async fn followed_attempt(&self, user: &str, id: Uuid) -> Result<Option<i32>, Error> {
        let nothing = Bounds { texts: 0, calls: 0 };
        let state = self.state(user, id, ReplyPosition::START, nothing).await?;
        Ok(state.map(|state| followed_attempt(state.status, state.attempt)))
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
        let Layout { parts, calls, call_bytes } = self.layout.unwrap_or_default();
        let (text, reasoning) = (self.text.unwrap_or_default(), self.reasoning.unwrap_or_default());
        let excerpt = Excerpt { text, reasoning, calls, call_bytes };
        State {
            status: self.status,
            attempt: self.attempt,
            size,
            bytes: size.text + size.reasoning + length(self.parts_bytes),
            chunk: Chunk::new(size, &parts, start, excerpt),
        }
    }
}
