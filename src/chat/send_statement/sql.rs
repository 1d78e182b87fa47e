//! The text of the statement.

use std::sync::LazyLock;

use crate::database::{BATCH_WRITES, raise_revisions};
use crate::reply::{PRECEDING_COLUMNS, preceding};
use crate::usage::{Expectation, REPLY_TOKENS, RESERVED};

/// Each part reads what the part before it has written: the rows are inserted only if the conversation was extended or
/// started, and that only for users whose accounts are not locked, and are as the statement sees them. Whatever is read is
/// read for one row at a time, so that no plan goes over the rows of other users.
///
/// What the ledger expects goes by what is at the path's end.
const SEND: &str = r#"
WITH seen AS MATERIALIZED (
    SELECT due.*, account.revision AS seen_revision
    FROM json_to_recordset(CAST($1 AS JSON)) AS due (
        user_id TEXT COLLATE "C", conversation_id UUID, idempotency_key TEXT, request_digest BYTEA, message_id UUID,
        reply_id UUID, content TEXT, metadata TEXT, text_tokens BIGINT, entry TEXT, tokens TEXT,
        asked_assistant_id TEXT, asked_parameters JSONB, is_known BOOLEAN{columns}
    ) CROSS JOIN LATERAL (SELECT revision FROM account WHERE user_id = due.user_id OFFSET 0) AS account
    LIMIT {writes}
), planned AS MATERIALIZED (
    SELECT seen.*, plan.*
    FROM seen CROSS JOIN LATERAL (
        WITH settings AS (
            SELECT CAST($2 AS JSONB) -> COALESCE(seen.asked_assistant_id, own.assistant_id, viewer.assistant_id, '') AS choice,
                own.parameters, own.instructions AS conversation_instructions, viewer.instructions AS viewer_instructions
            FROM (SELECT 1) AS one
                LEFT JOIN conversation_setting AS own
                    ON own.user_id = seen.user_id AND own.conversation_id = seen.conversation_id
                LEFT JOIN viewer_setting AS viewer ON viewer.user_id = seen.user_id
        ), chosen AS (
            SELECT choice ->> 'id' AS assistant_id, choice -> 'terms' AS terms,
                (choice -> 'set') || COALESCE({kept}, '{}') || COALESCE(seen.asked_parameters, '{}') AS parameters,
                conversation_instructions, viewer_instructions
            FROM settings
        ), terms AS (
            SELECT assistant_id, CAST(terms ->> 'context' AS BIGINT) AS context,
                COALESCE(CAST(parameters ->> 'max_tokens' AS BIGINT), {reply_tokens}) AS reply,
                CAST(terms ->> 'input_price' AS DOUBLE PRECISION) AS input_price,
                CAST(terms ->> 'output_price' AS DOUBLE PRECISION) AS output_price,
                CAST(terms ->> 'reported' AS BOOLEAN) AS reported
            FROM chosen
        ), basis AS ({basis}), {priced}
        SELECT chosen.assistant_id, NULLIF(chosen.parameters, '{}') AS parameters, conversation_instructions,
            viewer_instructions, basis.id AS tail, terms.context, priced.input, priced.tokens AS reserved_tokens, priced.cost AS reserved_cost
        FROM chosen CROSS JOIN terms CROSS JOIN basis CROSS JOIN priced
        WHERE chosen.assistant_id IS NOT NULL AND {allowed}
    ) AS plan
    WHERE NOT EXISTS (
            SELECT 1 FROM receipt WHERE user_id = seen.user_id AND idempotency_key = seen.idempotency_key OFFSET 0
        ) AND (SELECT COUNT(*) FROM message WHERE user_id = seen.user_id AND status = 'GENERATING') < $3{idle}
), {raised}, extended AS ({extended}), made AS MATERIALIZED (
    SELECT planned.*, extended.last_position, extended.updated_at AS now, extended.revision
    FROM extended JOIN planned USING (user_id)
), {reserved}, recorded AS (
    INSERT INTO receipt (user_id, idempotency_key, request_digest, message_id, reply_id, created_at)
    SELECT user_id, idempotency_key, request_digest, message_id, reply_id, now FROM made WHERE idempotency_key IS NOT NULL
), stored AS (
    INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content, assistant_id,
        parameters, attempt, restarts_left, lease_owner, lease_until, metadata, created_at, finished_at, created_revision, revision)
    SELECT user_id, message_id, conversation_id, tail, last_position - 1, TRUE, 'USER', 'COMPLETE', content, NULL::text,
        NULL::jsonb, 0, 0, NULL::uuid, NULL::timestamptz, metadata, now, now, revision, revision
    FROM made
    UNION ALL
    SELECT user_id, reply_id, conversation_id, message_id, last_position, TRUE, 'ASSISTANT', 'GENERATING', '', assistant_id,
        parameters, 1, $7, $8, now + $9 * interval '1 millisecond', '{}', now, NULL, revision, revision
    FROM made
), indexed AS (
    INSERT INTO message_search (user_id, id, text, tokens)
    SELECT user_id, message_id, entry, array_to_tsvector(string_to_array(made.tokens, ' ')) FROM made WHERE entry <> ''
){further}
SELECT extended.*, tail, assistant_id, parameters, conversation_instructions, viewer_instructions{preceding_columns}
FROM extended JOIN planned USING (user_id){preceding}"#;

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

/// The parts in which a send in a conversation and one that starts it differ.
struct Parts {
    /// Further columns of what is given.
    columns: &'static str,
    /// What is at the path's end.
    basis: &'static str,
    /// What must be the case of the conversation's replies.
    idle: &'static str,
    /// The conversation as it is then.
    extended: &'static str,
    /// What else is stored.
    further: &'static str,
    /// Whether something was said before.
    continues: bool,
}

const EXTENDING_PARTS: Parts = Parts {
    columns: "",
    basis: "
            SELECT tail.id, tail.usage, CASE WHEN tail.usage ->> 'input_tokens' IS NULL THEN (
                SELECT COALESCE(SUM(octet_length(content)), 0) FROM message
                WHERE user_id = seen.user_id AND conversation_id = seen.conversation_id AND active
                    AND position <= tail.position AND position > tail.position - LEAST(256, terms.context / 8)
            ) ELSE 0 END AS bytes
            FROM terms LEFT JOIN LATERAL (
                SELECT id, position, usage FROM message
                WHERE user_id = seen.user_id AND conversation_id = seen.conversation_id AND active AND position <= (
                    SELECT last_position FROM conversation WHERE user_id = seen.user_id AND id = seen.conversation_id
                )
                ORDER BY position DESC LIMIT 1
            ) AS tail ON TRUE
        ",
    idle: "
        AND NOT EXISTS (
            SELECT 1 FROM message
            WHERE user_id = seen.user_id AND conversation_id = seen.conversation_id AND status = 'GENERATING' OFFSET 0
        ) AND NOT EXISTS (
            SELECT 1 FROM message
            WHERE user_id = seen.user_id AND conversation_id = seen.conversation_id AND status = 'QUEUED' OFFSET 0
        )",
    extended: "
    UPDATE conversation
    SET last_position = conversation.last_position + 2, read_position = conversation.last_position + 1,
        updated_at = raised.now, revision = raised.revision
    FROM raised JOIN planned USING (user_id)
    WHERE conversation.user_id = planned.user_id AND conversation.id = planned.conversation_id
        AND raised.now >= $5 AND raised.now < $6
        AND conversation.deleted_at IS NULL AND conversation.step_at IS NULL AND conversation.title IS NOT NULL
    RETURNING conversation.*
",
    further: "",
    continues: true,
};

const STARTING_PARTS: Parts = Parts {
    columns: ", title TEXT, title_key TEXT, title_entry TEXT, title_tokens TEXT",
    basis: "
            SELECT CAST(NULL AS UUID) AS id, CAST(NULL AS JSONB) AS usage, CAST(0 AS BIGINT) AS bytes
        ",
    idle: "",
    extended: "
    INSERT INTO conversation (
        user_id, id, title, title_key, title_origin, last_position, read_position, created_at, updated_at, revision
    )
    SELECT user_id, conversation_id, title, title_key, 'MESSAGE', 2, 1, raised.now, raised.now, raised.revision
    FROM raised JOIN planned USING (user_id)
    WHERE raised.now >= $5 AND raised.now < $6
    RETURNING *
",
    further: ", titled AS (
    INSERT INTO title_search (user_id, id, text, tokens)
    SELECT user_id, conversation_id, title_entry, array_to_tsvector(string_to_array(title_tokens, ' '))
    FROM made WHERE title_entry <> ''
), configured AS (
    INSERT INTO conversation_setting (user_id, conversation_id, assistant_id, parameters)
    SELECT user_id, conversation_id, CASE WHEN asked_assistant_id IS NOT NULL THEN assistant_id END, asked_parameters
    FROM made WHERE asked_assistant_id IS NOT NULL OR asked_parameters IS NOT NULL
)",
    continues: false,
};

fn statement(parts: &Parts) -> String {
    let (columns, preceding) =
        if parts.continues { (PRECEDING_COLUMNS, preceding()) } else { ("", String::new()) };
    SEND.replace("{preceding_columns}", columns)
        .replace("{preceding}", &preceding)
        .replace("{columns}", parts.columns)
        .replace("{basis}", parts.basis)
        .replace("{idle}", parts.idle)
        .replace("{extended}", parts.extended)
        .replace("{further}", parts.further)
        .replace("{kept}", KEPT)
        .replace("{reserved}", RESERVED)
        .replace("{reply_tokens}", &REPLY_TOKENS.to_string())
        .replace("{raised}", &raise_revisions("planned"))
        .replace("{writes}", &BATCH_WRITES.to_string())
}

static EXTENDING: LazyLock<String> = LazyLock::new(|| statement(&EXTENDING_PARTS));
static STARTING: LazyLock<String> = LazyLock::new(|| statement(&STARTING_PARTS));

/// The number of the first value of the expectation.
pub(super) const EXPECTATION: usize = 10;

/// The statement that sends messages, in conversations that they start or not.
pub(super) fn send(starts: bool, expectation: &Expectation) -> String {
    let text = if starts { &STARTING } else { &EXTENDING };
    text.replace("{priced}", &expectation.priced).replace("{allowed}", &expectation.allowed)
}
