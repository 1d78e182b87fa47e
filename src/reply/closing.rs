//! The statements that close an attempt.

use std::sync::{Arc, LazyLock};

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ActiveEnum, DbBackend, FromQueryResult, Statement, Value};

use super::ending::{Ended, Ending};
use crate::database::{FastPath, Write};
use crate::entity::message::{self, Rating};
use crate::error::Error;
use crate::index::{self, Entry};
use crate::usage;

/// Closes the attempt of a reply if it is still this server's. The values are those of [`values`] and what is given for
/// the time and the revision.
macro_rules! close {
    ($now:literal, $revision:literal, $from:literal, $condition:literal) => {
        concat!(
            "UPDATE message SET status = $5, content = $6, reasoning = $7, parts = $8, finish_reason = $9, failure = $10, \
             model = $11, usage = $12, lease_owner = NULL, lease_until = NULL, finished_at = ",
            $now,
            ", revision = ",
            $revision,
            $from,
            " WHERE message.user_id = $1 AND message.id = $2 AND message.lease_owner = $3 AND message.attempt = $4",
            $condition,
            " RETURNING message.active, message.stop_requested_at, message.metadata, message.rating, \
             message.rating_comment, message.finished_at, message.revision, \
             EXISTS (SELECT 1 FROM conversation AS whole WHERE whole.user_id = message.user_id \
             AND whole.id = message.conversation_id AND whole.deleted_at IS NULL) AS visible",
        )
    };
}

/// In a transaction.
const CLOSE: &str = close!("$13", "$14", "", "");

/// The usual end as one statement, on PostgreSQL: no other reply of the user waits for its turn.
static END: LazyLock<String> = LazyLock::new(|| {
    concat!(
    "WITH seen AS (
        SELECT revision FROM account WHERE user_id = $1
    ), raised AS (
        UPDATE account SET revision = revision + 1 WHERE user_id = $1
        RETURNING revision, date_trunc('milliseconds', clock_timestamp()) AS now
    ), closed AS (",
    close!(
        "raised.now",
        "raised.revision",
        " FROM raised, seen",
        " AND raised.revision = seen.revision + 1
          AND NOT EXISTS (SELECT 1 FROM message AS waiting WHERE waiting.user_id = $1 AND waiting.status = 'QUEUED')"
    ),
    "), indexed AS (
        INSERT INTO message_search (user_id, id, text, tokens)
        SELECT $1, $2, $13, array_to_tsvector(string_to_array($14, ' ')) FROM closed
        ON CONFLICT (user_id, id) DO UPDATE SET text = excluded.text, tokens = excluded.tokens
    ), {settled}
    SELECT * FROM closed"
    )
    .replace("{settled}", usage::SETTLED)
});

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

/// Which attempt is closed, and what is stored.
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
    let closed = write.first(CLOSE, values(reply, ending).into_iter().chain(moment)).await?;
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
    let searched: [Value; 2] = [entry.text().into(), entry.tokens().into()];
    let values = values(reply, &ending.0).into_iter().chain(searched).chain(usage::values(&used));
    Some(FastPath {
        statement: Statement::from_sql_and_values(DbBackend::Postgres, END.as_str(), values),
        finish: Box::new(|row| Ok(Ended { closed: Some(Closed::from_query_result(row, "")?), next: None })),
    })
}
