//! The statements that close an attempt.

use std::sync::{Arc, LazyLock};

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ActiveEnum, FromQueryResult, Value};
use serde::Serialize;
use uuid::Uuid;

use super::ending::{Ended, Ending};
use crate::database::{BATCH_WRITES, BatchStatement, FastPath, Write, raise_revisions};
use crate::entity::message::{self, Failure, Parts, Rating, Usage};
use crate::error::Error;
use crate::index::{self, Entry};
use crate::usage::{self, Used};

/// Closes attempts of replies that are still this server's. Whether the conversation is deleted is looked up in its row: an
/// index of those that are not would be read for all of the user's.
const CLOSE: &str = "
    UPDATE message SET status = {status}, content = {content}, reasoning = {reasoning}, parts = {parts},
        finish_reason = {finish_reason}, failure = {failure}, model = {model}, usage = {usage}, lease_owner = NULL,
        lease_until = NULL, finished_at = {now}, revision = {revision}
    {from}
    WHERE message.user_id = {user_id} AND message.id = {id} AND message.lease_owner = {lease_owner}
        AND message.attempt = {attempt}
    RETURNING message.user_id, message.active, message.stop_requested_at, message.metadata, message.rating,
        message.rating_comment, message.finished_at, message.revision, COALESCE((
            SELECT whole.deleted_at IS NULL FROM conversation AS whole
            WHERE whole.user_id = message.user_id AND whole.id = message.conversation_id
        ), FALSE) AS visible";

/// Which attempt is closed, and what is stored: the names of [`values`].
const NAMES: [&str; 12] = [
    "user_id",
    "id",
    "lease_owner",
    "attempt",
    "status",
    "content",
    "reasoning",
    "parts",
    "finish_reason",
    "failure",
    "model",
    "usage",
];

/// In a transaction: the values are followed by the time and the revision.
static CLOSE_ONE: LazyLock<String> = LazyLock::new(|| {
    let names = NAMES.iter().chain(&["now", "revision"]).enumerate();
    let sql = names.fold(CLOSE.to_owned(), |sql, (index, name)| {
        sql.replace(&format!("{{{name}}}"), &format!("${}", index + 1))
    });
    sql.replace("{from}", "")
});

/// The usual ends as one statement, on PostgreSQL: no other reply of the user waits for its turn.
static END: LazyLock<String> = LazyLock::new(|| {
    let close = NAMES
        .iter()
        .fold(CLOSE.to_owned(), |sql, name| sql.replace(&format!("{{{name}}}"), &format!("seen.{name}")))
        .replace("{now}", "raised.now")
        .replace("{revision}", "raised.revision")
        .replace("{from}", "FROM raised JOIN seen USING (user_id)");
    r#"
WITH seen AS MATERIALIZED (
    SELECT due.*, account.revision AS seen_revision
    FROM json_to_recordset(CAST($1 AS JSON)) AS due (
        user_id TEXT COLLATE "C", id UUID, lease_owner UUID, attempt INTEGER, status TEXT, content TEXT, reasoning TEXT,
        parts JSONB, finish_reason TEXT, failure JSONB, model TEXT, usage JSONB, entry TEXT, tokens TEXT,
        input BIGINT, cached_input BIGINT, output BIGINT, estimated BOOLEAN, cost BIGINT
    ) CROSS JOIN LATERAL (SELECT revision FROM account WHERE user_id = due.user_id OFFSET 0) AS account
    WHERE NOT EXISTS (SELECT 1 FROM message WHERE user_id = due.user_id AND status = 'QUEUED' OFFSET 0)
    LIMIT {writes}
), {raised}, closed AS ({close}
), indexed AS (
    INSERT INTO message_search (user_id, id, text, tokens)
    SELECT user_id, seen.id, seen.entry, array_to_tsvector(string_to_array(seen.tokens, ' '))
    FROM closed JOIN seen USING (user_id)
    ON CONFLICT (user_id, id) DO UPDATE SET text = excluded.text, tokens = excluded.tokens
), {settled}
SELECT * FROM closed"#
        .replace("{close}", &close)
        .replace("{settled}", usage::SETTLED)
        .replace("{raised}", &raise_revisions("seen"))
        .replace("{writes}", &BATCH_WRITES.to_string())
});

/// What the statement is given of one end.
#[derive(Serialize)]
struct Row<'r> {
    user_id: &'r str,
    id: Uuid,
    lease_owner: Option<Uuid>,
    attempt: i32,
    status: String,
    content: &'r str,
    reasoning: &'r str,
    parts: Parts,
    finish_reason: Option<String>,
    failure: Option<&'r Failure>,
    model: Option<&'r str>,
    usage: &'r Usage,
    entry: &'r str,
    tokens: &'r str,
    #[serde(flatten)]
    used: Used,
}

/// What the row of a closed reply has beside what its server has written, and what the end has made of it.
#[derive(Debug, FromQueryResult)]
pub(super) struct Closed {
    active: bool,
    stop_requested_at: Option<DateTimeUtc>,
    metadata: String,
    rating: Option<Rating>,
    rating_comment: Option<String>,
    finished_at: Option<DateTimeUtc>,
    revision: i64,
    /// Whether the conversation is not deleted.
    visible: bool,
}

impl Closed {
    /// The row of `reply` as it is stored with `ending`; `None` if its conversation is deleted.
    pub(super) fn into_row(self, reply: &message::Model, ending: &Ending) -> Option<message::Model> {
        self.visible.then(|| message::Model {
            active: self.active,
            status: ending.status,
            content: ending.draft.content.clone(),
            reasoning: ending.draft.reasoning.clone(),
            parts: ending.draft.stored_parts(),
            finish_reason: ending.finish_reason,
            failure: ending.failure.clone(),
            model: ending.model.clone(),
            usage: ending.usage,
            lease_owner: None,
            lease_until: None,
            stop_requested_at: self.stop_requested_at,
            metadata: self.metadata,
            rating: self.rating,
            rating_comment: self.rating_comment,
            finished_at: self.finished_at,
            revision: self.revision,
            ..reply.clone()
        })
    }
}

/// Which attempt is closed, and what is stored, as [`NAMES`] has it.
fn values(reply: &message::Model, ending: &Ending) -> [Value; 12] {
    [
        reply.user_id.as_str().into(),
        reply.id.into(),
        reply.lease_owner.into(),
        reply.attempt.into(),
        ending.status.to_value().into(),
        ending.draft.content.as_str().into(),
        ending.draft.reasoning.as_str().into(),
        ending.draft.stored_parts().into(),
        ending.finish_reason.map(|reason| reason.to_value()).into(),
        ending.failure.clone().into(),
        ending.model.clone().into(),
        ending.usage.into(),
    ]
}

/// Stores `ending` if the row still has `reply`'s lease and attempt, and the entry in the search index, and settles what
/// was used.
pub(super) async fn close(
    write: &Write,
    reply: &message::Model,
    ending: &Ending,
    entry: &Entry,
) -> Result<Option<Closed>, Error> {
    let moment: [Value; 2] = [write.now.into(), write.revision.into()];
    let closed = write.first(CLOSE_ONE.as_str(), values(reply, ending).into_iter().chain(moment)).await?;
    if closed.is_some() {
        index::store_message(write, &reply.user_id, reply.id, entry).await?;
        match &ending.usage {
            Some(used) => {
                usage::settle(write, &reply.user_id, reply.id, ending.model.as_deref(), used).await?;
            }
            None => usage::cancel(write, &reply.user_id, &[reply.id]).await?,
        }
    }
    Ok(closed)
}

/// The usual end of `reply`; `None` if it has no text to be found by, of which an earlier attempt may have left some, or has
/// used nothing.
pub(super) fn usual_end(reply: &message::Model, ending: &Arc<(Ending, Entry)>) -> Option<FastPath<Ended>> {
    let (entry, used) = (&ending.1, ending.0.usage?);
    if entry.text().is_empty() {
        return None;
    }
    let ending = &ending.0;
    let row = Row {
        user_id: &reply.user_id,
        id: reply.id,
        lease_owner: reply.lease_owner,
        attempt: reply.attempt,
        status: ending.status.to_value(),
        content: &ending.draft.content,
        reasoning: &ending.draft.reasoning,
        parts: ending.draft.stored_parts(),
        finish_reason: ending.finish_reason.map(|reason| reason.to_value()),
        failure: ending.failure.as_ref(),
        model: ending.model.as_deref(),
        usage: &used,
        entry: entry.text(),
        tokens: entry.tokens(),
        used: Used::of(&used),
    };
    Some(FastPath {
        statement: BatchStatement { sql: END.clone(), values: Vec::new() },
        row: serde_json::to_string(&row).ok()?,
        finish: Box::new(|row| Ok(Ended { closed: Some(Closed::from_query_result(row, "")?), next: None })),
    })
}
