//! The usual `sendMessage` as one statement, on PostgreSQL.
//!
//! It does what the transaction in [`send`](super::send) does for a conversation with a title in which no reply is queued
//! or running, for a user who may have another reply running and whose quotas allow it, with a key that was not used
//! before, and without parameters of the user's. Whatever else is the case, the transaction is run. Which assistant answers is looked up in what the
//! viewer may choose, which the statement is given.

use sea_orm::{DbBackend, FromQueryResult, QueryResult, Statement, Value};
use uuid::Uuid;

use super::new_message::{Moment, Sent, Slot};
use super::receipt::{Created, IdempotentRequest};
use super::{Chat, SendMessage};
use crate::assistant::estimate;
use crate::database::{FastPath, now};
use crate::entity::conversation;
use crate::entity::message::{Role, Status};
use crate::error::Error;
use crate::index::Entry;
use crate::reply::{Claim, ReplyPermit};
use crate::signal::Topic;
use crate::usage::{Period, REPLY_TOKENS, RESERVED};

/// Each part reads what the part before it has written: the rows are inserted only if the conversation was extended, and
/// that only if the revision that was raised is the next one after that which the statement sees.
///
/// What the ledger expects goes by what is at the path's end.
const SEND: &str = "
WITH seen AS (
    SELECT revision FROM account WHERE user_id = $1
), raised AS (
    UPDATE account SET revision = revision + 1 WHERE user_id = $1
    RETURNING revision, date_trunc('milliseconds', clock_timestamp()) AS now
), chosen AS (
    SELECT CAST($15 AS JSONB) -> COALESCE(
        $16, (SELECT assistant_id FROM conversation_setting WHERE user_id = $1 AND conversation_id = $2),
        (SELECT assistant_id FROM viewer_setting WHERE user_id = $1), ''
    ) AS choice
), terms AS (
    SELECT choice ->> 'id' AS assistant_id, CAST(choice -> 'terms' ->> 'context' AS BIGINT) AS context,
        COALESCE(CAST(choice -> 'parameters' ->> 'max_tokens' AS BIGINT), {reply_tokens}) AS reply,
        CAST(choice -> 'terms' ->> 'input_price' AS DOUBLE PRECISION) AS input_price,
        CAST(choice -> 'terms' ->> 'output_price' AS DOUBLE PRECISION) AS output_price,
        CAST(choice -> 'terms' ->> 'reported' AS BOOLEAN) AS reported
    FROM chosen
), basis AS (
    SELECT tail.id, tail.usage, CASE WHEN tail.usage ->> 'input_tokens' IS NULL THEN (
        SELECT COALESCE(SUM(octet_length(content)), 0) FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active AND position <= tail.position
            AND position > tail.position - LEAST(256, terms.context / 8)
    ) ELSE 0 END AS bytes
    FROM terms LEFT JOIN LATERAL (
        SELECT id, position, usage FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active
            AND position <= (SELECT last_position FROM conversation WHERE user_id = $1 AND id = $2)
        ORDER BY position DESC LIMIT 1
    ) AS tail ON TRUE
), {priced}, extended AS (
    UPDATE conversation
    SET last_position = conversation.last_position + 2, read_position = conversation.last_position + 1,
        updated_at = raised.now, revision = raised.revision
    FROM raised, seen, chosen, basis, priced
    WHERE conversation.user_id = $1 AND conversation.id = $2 AND raised.revision = seen.revision + 1
        AND conversation.deleted_at IS NULL AND conversation.step_at IS NULL AND conversation.title IS NOT NULL
        AND chosen.choice IS NOT NULL AND raised.now >= $18 AND raised.now < $19 AND {allowed}
        AND NOT EXISTS (SELECT 1 FROM conversation_setting
            WHERE user_id = $1 AND conversation_id = $2 AND parameters IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM receipt WHERE user_id = $1 AND idempotency_key = $3)
        AND NOT EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'GENERATING')
        AND NOT EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'QUEUED')
        AND (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'GENERATING') < $4
    RETURNING conversation.*, basis.id AS tail, chosen.choice ->> 'id' AS assistant_id,
        NULLIF(chosen.choice -> 'parameters', CAST('null' AS JSONB)) AS parameters
), {reserved}, recorded AS (
    INSERT INTO receipt (user_id, idempotency_key, request_digest, message_id, reply_id, created_at)
    SELECT $1, $3, $5, $6, $7, updated_at FROM extended WHERE $3 IS NOT NULL
), stored AS (
    INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content, assistant_id,
        parameters, attempt, restarts_left, lease_owner, lease_until, metadata, created_at, finished_at, created_revision, revision)
    SELECT $1, $6, $2, tail, last_position - 1, TRUE, 'USER', 'COMPLETE', $8, NULL::text,
        NULL::jsonb, 0, 0, NULL::uuid, NULL::timestamptz, $9, updated_at, updated_at, revision, revision
    FROM extended
    UNION ALL
    SELECT $1, $7, $2, $6, last_position, TRUE, 'ASSISTANT', 'GENERATING', '', assistant_id,
        parameters, 1, $10, $11, updated_at + $12 * interval '1 millisecond', '{}', updated_at, NULL, revision, revision
    FROM extended
), indexed AS (
    INSERT INTO message_search (user_id, id, text, tokens)
    SELECT $1, $6, $13, array_to_tsvector(string_to_array($14, ' ')) FROM extended WHERE $13 <> ''
)
SELECT * FROM extended";

impl Chat {
    /// The usual way to store `request`; `None` if it is not possible anyway.
    pub(super) fn usual_send(
        &self,
        request: &SendMessage,
        idempotent: Option<&IdempotentRequest>,
        entry: &Entry,
        created: Created,
    ) -> Option<FastPath<Sent>> {
        let (conversation, message, reply) = (request.conversation_id?, created.message?, created.reply?);
        // How to write is judged by who is to write, which is known to the transaction.
        if self.database.backend() != DbBackend::Postgres || request.choice.parameters.is_some() {
            return None;
        }
        if request.choice.assistant_id.as_deref().is_some_and(|id| self.assistant(id).is_none()) {
            return None;
        }
        let permit = self.replies.spare_permit()?;
        let options = self.replies.options();
        let lease = i64::try_from(options.lease.as_millis()).unwrap_or(i64::MAX);
        let ledger = self.replies.ledger();
        let day = ledger.calendar.day(now());
        let tokens = estimate::turn(&request.content);
        let expectation = ledger.expectation(self.viewer.plan(), tokens, day, 20);
        let values: [Value; 19] = [
            self.user().into(),
            conversation.into(),
            idempotent.map(IdempotentRequest::key).into(),
            i64::from(options.user_replies).into(),
            idempotent.map(IdempotentRequest::digest).into(),
            message.into(),
            reply.into(),
            request.content.as_str().into(),
            request.metadata.as_str().into(),
            self.replies.restarts().into(),
            self.replies.server().into(),
            lease.into(),
            entry.text().into(),
            entry.tokens().into(),
            self.replies.catalog().choices(self.viewer.plan()).into(),
            request.choice.assistant_id.as_deref().into(),
            day.into(),
            ledger.calendar.start_of(day).into(),
            ledger.calendar.start_of(Period::Day.next(day)).into(),
        ];
        let sql = SEND
            .replace("{reply_tokens}", &REPLY_TOKENS.to_string())
            .replace("{priced}", &expectation.priced)
            .replace("{allowed}", &expectation.allowed)
            .replace("{reserved}", RESERVED);
        let values = values.into_iter().chain(expectation.values);
        let (chat, request) = (self.clone(), request.clone());
        Some(FastPath {
            statement: Statement::from_sql_and_values(DbBackend::Postgres, sql, values),
            finish: Box::new(move |row| chat.usually_sent(request, [message, reply], permit, row)),
        })
    }

    /// What was stored, from the conversation's row. The reply is generated.
    fn usually_sent(
        &self,
        request: SendMessage,
        [message, reply]: [Uuid; 2],
        permit: ReplyPermit,
        row: &QueryResult,
    ) -> Result<Sent, Error> {
        let conversation = conversation::Model::from_query_result(row, "")?;
        let at = Moment { now: conversation.updated_at, revision: conversation.revision };
        let parent = row.try_get("", "tail")?;
        let slot = Slot { parent, position: conversation.last_position - 1, busy: false, active: true };
        let mut message = self.new_message(at, conversation.id, Some(message), &slot, Role::User);
        message.content = request.content;
        message.metadata = request.metadata.into_text();
        message.status = Status::Complete;
        message.finished_at = Some(at.now);
        let after = Slot { parent: Some(message.id), position: slot.position + 1, ..slot };
        let mut reply = self.new_message(at, conversation.id, Some(reply), &after, Role::Assistant);
        reply.assistant_id = row.try_get("", "assistant_id")?;
        reply.parameters = row.try_get("", "parameters")?;
        self.replies.lease_or_queue(&mut reply, Some(&permit), at.now);
        self.replies.signal(Topic::of_user(self.user()));
        self.replies.generate(Claim { reply: reply.clone(), permit });
        Ok(Sent { conversation, message, reply })
    }
}
