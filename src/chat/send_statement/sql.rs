//! The text of the statement.

use std::sync::LazyLock;

use crate::usage::{Expectation, REPLY_TOKENS, RESERVED};

/// Each part reads what the part before it has written: the rows are inserted only if the conversation was extended or
/// started, and that only if the revision that was raised is the next one after that which the statement sees.
///
/// What the ledger expects goes by what is at the path's end.
const SEND: &str = "
WITH seen AS (
    SELECT revision FROM account WHERE user_id = $1
), raised AS (
    UPDATE account SET revision = revision + 1 WHERE user_id = $1
    RETURNING revision, date_trunc('milliseconds', clock_timestamp()) AS now
), settings AS (
    SELECT CAST($15 AS JSONB) -> COALESCE($16, own.assistant_id, viewer.assistant_id, '') AS choice, own.parameters,
        own.instructions AS conversation_instructions, viewer.instructions AS viewer_instructions
    FROM (SELECT 1) AS one
        LEFT JOIN conversation_setting AS own ON own.user_id = $1 AND own.conversation_id = $2
        LEFT JOIN viewer_setting AS viewer ON viewer.user_id = $1
), chosen AS (
    SELECT choice ->> 'id' AS assistant_id, choice -> 'terms' AS terms, conversation_instructions, viewer_instructions,
        (choice -> 'set') || COALESCE({kept}, '{}') || COALESCE(CAST($20 AS JSONB), '{}') AS parameters
    FROM settings
), terms AS (
    SELECT assistant_id, CAST(terms ->> 'context' AS BIGINT) AS context,
        COALESCE(CAST(parameters ->> 'max_tokens' AS BIGINT), {reply_tokens}) AS reply,
        CAST(terms ->> 'input_price' AS DOUBLE PRECISION) AS input_price,
        CAST(terms ->> 'output_price' AS DOUBLE PRECISION) AS output_price,
        CAST(terms ->> 'reported' AS BOOLEAN) AS reported
    FROM chosen
), basis AS ({basis}), {priced}, extended AS ({extended}), {reserved}, recorded AS (
    INSERT INTO receipt (user_id, idempotency_key, request_digest, message_id, reply_id, created_at)
    SELECT $1, $3, $5, $6, $7, updated_at FROM extended WHERE $3 IS NOT NULL
), stored AS (
    INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content, assistant_id,
        parameters, attempt, restarts_left, lease_owner, lease_until, metadata, created_at, finished_at, created_revision, revision)
    SELECT $1, $6, $2, basis.id, last_position - 1, TRUE, 'USER', 'COMPLETE', $8, NULL::text,
        NULL::jsonb, 0, 0, NULL::uuid, NULL::timestamptz, $9, updated_at, updated_at, revision, revision
    FROM extended CROSS JOIN basis
    UNION ALL
    SELECT $1, $7, $2, $6, last_position, TRUE, 'ASSISTANT', 'GENERATING', '', assistant_id,
        NULLIF(parameters, '{}'), 1, $10, $11, updated_at + $12 * interval '1 millisecond', '{}', updated_at, NULL, revision, revision
    FROM extended CROSS JOIN chosen
), indexed AS (
    INSERT INTO message_search (user_id, id, text, tokens)
    SELECT $1, $6, $13, array_to_tsvector(string_to_array($14, ' ')) FROM extended WHERE $13 <> ''
){further}
SELECT extended.*, basis.id AS tail, chosen.assistant_id, NULLIF(chosen.parameters, '{}') AS parameters,
    conversation_instructions, viewer_instructions
FROM extended CROSS JOIN basis CROSS JOIN chosen";

/// The conversation's parameters that fit the assistant. They may have been chosen for another one.
const KEPT: &str = "(
            SELECT jsonb_object_agg(name, value) FROM jsonb_each(parameters) AS own (name, value)
            WHERE CASE jsonb_typeof(choice -> 'settable' -> name)
                WHEN 'array' THEN choice -> 'settable' -> name @> value
                WHEN 'object' THEN CAST(value AS NUMERIC)
                    BETWEEN CAST(choice -> 'settable' -> name -> 'minimum' AS NUMERIC)
                        AND CAST(choice -> 'settable' -> name -> 'maximum' AS NUMERIC)
                ELSE FALSE END
        )";

/// What must be the case of any conversation. It wants `raised`, `seen`, `chosen` and `priced`.
const USUAL: &str = "raised.revision = seen.revision + 1
        AND chosen.assistant_id IS NOT NULL AND raised.now >= $18 AND raised.now < $19 AND {allowed}
        AND NOT EXISTS (SELECT 1 FROM receipt WHERE user_id = $1 AND idempotency_key = $3)
        AND (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'GENERATING') < $4";

/// Extending a conversation: what is at the path's end, the conversation, and nothing further.
const EXTENDED: [&str; 3] = [
    "
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
",
    "
    UPDATE conversation
    SET last_position = conversation.last_position + 2, read_position = conversation.last_position + 1,
        updated_at = raised.now, revision = raised.revision
    FROM raised, seen, chosen, priced
    WHERE {usual}
        AND conversation.user_id = $1 AND conversation.id = $2
        AND conversation.deleted_at IS NULL AND conversation.step_at IS NULL AND conversation.title IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'GENERATING')
        AND NOT EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'QUEUED')
    RETURNING conversation.*
",
    "",
];

/// Starting a conversation: nothing is before it, its row, and its title and what it was begun with.
const STARTED: [&str; 3] = [
    "
    SELECT CAST(NULL AS UUID) AS id, CAST(NULL AS JSONB) AS usage, CAST(0 AS BIGINT) AS bytes
",
    "
    INSERT INTO conversation (user_id, id, title, title_key, title_origin, last_position, read_position, created_at, updated_at, revision)
    SELECT $1, $2, $21, $22, 'MESSAGE', 2, 1, raised.now, raised.now, raised.revision
    FROM raised, seen, chosen, priced
    WHERE {usual}
    RETURNING *
",
    ", titled AS (
    INSERT INTO title_search (user_id, id, text, tokens)
    SELECT $1, $2, $23, array_to_tsvector(string_to_array($24, ' ')) FROM extended WHERE $23 <> ''
), configured AS (
    INSERT INTO conversation_setting (user_id, conversation_id, assistant_id, parameters)
    SELECT $1, $2, CASE WHEN $16 IS NOT NULL THEN assistant_id END, $20 FROM extended CROSS JOIN chosen
    WHERE $16 IS NOT NULL OR $20 IS NOT NULL
)",
];

fn statement([basis, extended, further]: [&str; 3]) -> String {
    SEND.replace("{basis}", basis)
        .replace("{extended}", extended)
        .replace("{further}", further)
        .replace("{usual}", USUAL)
        .replace("{kept}", KEPT)
        .replace("{reserved}", RESERVED)
        .replace("{reply_tokens}", &REPLY_TOKENS.to_string())
}

static EXTENDING: LazyLock<String> = LazyLock::new(|| statement(EXTENDED));
static STARTING: LazyLock<String> = LazyLock::new(|| statement(STARTED));

/// How many values there are before those of the expectation.
pub(super) const VALUES: usize = 20;

/// How many of a conversation's title follow them.
pub(super) const TITLE_VALUES: usize = 4;

/// The statement that sends a message, in a conversation that it starts or not.
pub(super) fn send(starts: bool, expectation: &Expectation) -> String {
    let text = if starts { &STARTING } else { &EXTENDING };
    text.replace("{priced}", &expectation.priced).replace("{allowed}", &expectation.allowed)
}
