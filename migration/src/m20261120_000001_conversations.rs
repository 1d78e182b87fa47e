//! Accounts, conversations, messages and receipts, and which versions of the server can serve a database.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, UP).await?;
        if manager.get_connection().get_database_backend() == DbBackend::Postgres {
            dialect::execute(manager, STATISTICS).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, DOWN).await
    }
}

/// A conversation has one user. PostgreSQL would take both to be independent, expect no row of a conversation where there
/// are many, and read a long one by any index that begins with the two.
const STATISTICS: &str =
    "CREATE STATISTICS message_conversation (dependencies) ON user_id, conversation_id FROM message";

const UP: &str = r"
CREATE TABLE account (
    user_id {user} NOT NULL PRIMARY KEY,
    revision {big} NOT NULL,
    created_at {instant} NOT NULL
) {table};

CREATE TABLE conversation (
    user_id {user} NOT NULL REFERENCES account (user_id),
    id {uuid} NOT NULL,
    title TEXT,
    title_key {key} NOT NULL DEFAULT '',
    title_origin TEXT CHECK (title_origin IN ('MESSAGE', 'ASSISTANT', 'USER')),
    last_position {big} NOT NULL DEFAULT 0 CHECK (last_position >= 0),
    read_position {big} NOT NULL DEFAULT 0 CHECK (read_position >= 0),
    metadata TEXT NOT NULL DEFAULT '{}',
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    archived_at {instant},
    pinned_at {instant},
    deleted_at {instant},
    erasing_at {instant},
    erased_at {instant},
    restored_revision {big},
    path_revision {big},
    -- What is done to the tree in steps: the message to which the active path is being led, and to the newest one below it;
    -- up to where the path is read then, if not as a whole; the message that is being deleted with all below it; and when
    -- the last step was taken.
    path_target_id {uuid},
    path_target_read {big},
    deletion_id {uuid},
    step_at {instant},
    revision {big} NOT NULL,
    PRIMARY KEY (user_id, id),
    CHECK ((step_at IS NULL) = (path_target_id IS NULL AND deletion_id IS NULL)),
    CHECK ((title IS NULL) = (title_origin IS NULL)),
    CHECK (erasing_at IS NULL OR deleted_at IS NOT NULL),
    CHECK (erased_at IS NULL OR erasing_at IS NOT NULL)
) {table};

-- The list, in each of its orders.
CREATE INDEX conversation_activity ON conversation (user_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX conversation_creation ON conversation (user_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX conversation_title ON conversation (user_id, title_key, id) WHERE deleted_at IS NULL;
CREATE INDEX conversation_pinned ON conversation (user_id, (pinned_at IS NOT NULL), updated_at, id)
    WHERE deleted_at IS NULL;
-- The trash; also what the pass that empties it reads.
CREATE INDEX conversation_trash ON conversation (user_id, deleted_at, id)
    WHERE deleted_at IS NOT NULL AND erased_at IS NULL;
-- What has changed since a revision, deleted conversations included.
CREATE INDEX conversation_revision ON conversation (user_id, revision, id);
-- What was restored from the trash since a revision. Conversations that never were have no entry.
CREATE INDEX conversation_restored ON conversation (user_id, restored_revision, id)
    WHERE deleted_at IS NULL AND restored_revision IS NOT NULL;
-- Whose active path has changed since a revision, other than by new or deleted messages.
CREATE INDEX conversation_path ON conversation (user_id, path_revision, id)
    WHERE deleted_at IS NULL AND path_revision IS NOT NULL;

-- Steps that a server has left undone.
CREATE INDEX conversation_step ON conversation (user_id, id) WHERE step_at IS NOT NULL;

-- The values in the metadata of conversations, each as a digest with the keys that lead to it: what lists are filtered
-- by. An index on the conversations would be paid by every send.
CREATE TABLE conversation_metadata (
    user_id {user} NOT NULL,
    conversation_id {uuid} NOT NULL,
    entry {bytes} NOT NULL,
    PRIMARY KEY (user_id, conversation_id, entry),
    FOREIGN KEY (user_id, conversation_id) REFERENCES conversation (user_id, id) ON DELETE CASCADE
) {table};

CREATE UNIQUE INDEX conversation_metadata_entry ON conversation_metadata (user_id, entry, conversation_id);

-- What a user has chosen for one conversation, and for all of them. The rows above are rewritten by every send, and
-- instructions may be long.
CREATE TABLE conversation_setting (
    user_id {user} NOT NULL,
    conversation_id {uuid} NOT NULL,
    assistant_id TEXT,
    parameters {json},
    instructions TEXT,
    PRIMARY KEY (user_id, conversation_id),
    FOREIGN KEY (user_id, conversation_id) REFERENCES conversation (user_id, id) ON DELETE CASCADE
) {table};

CREATE TABLE viewer_setting (
    user_id {user} NOT NULL PRIMARY KEY REFERENCES account (user_id),
    assistant_id TEXT,
    instructions TEXT,
    revision {big} NOT NULL
) {table};

CREATE TABLE message (
    user_id {user} NOT NULL,
    id {uuid} NOT NULL,
    conversation_id {uuid} NOT NULL,
    parent_id {uuid},
    position {big} NOT NULL CHECK (position >= 1),
    parent_position {big} GENERATED ALWAYS AS (position - 1) STORED,
    active {flag} NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('USER', 'ASSISTANT')),
    status TEXT NOT NULL CHECK (status IN ('QUEUED', 'GENERATING', 'COMPLETE', 'STOPPED', 'FAILED')),
    content TEXT NOT NULL,
    reasoning TEXT NOT NULL DEFAULT '',
    -- In what order text, reasoning and tool calls came; '[]' is one part of text.
    parts {json} NOT NULL DEFAULT '[]',
    finish_reason TEXT,
    failure {json},
    -- Which assistant a reply was asked of, and how it is to write.
    assistant_id TEXT,
    parameters {json},
    model TEXT,
    usage {json},
    attempt INTEGER NOT NULL DEFAULT 0,
    restarts_left INTEGER NOT NULL DEFAULT 0,
    lease_owner {uuid},
    lease_until {instant},
    stop_requested_at {instant},
    metadata TEXT NOT NULL DEFAULT '{}',
    rating TEXT CHECK (rating IN ('UP', 'DOWN')),
    rating_comment TEXT,
    created_at {instant} NOT NULL,
    finished_at {instant},
    created_revision {big} NOT NULL,
    revision {big} NOT NULL,
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, conversation_id) REFERENCES conversation (user_id, id) ON DELETE CASCADE,
    UNIQUE (user_id, conversation_id, id, position),
    -- The parent is of the same conversation, one place before.
    FOREIGN KEY (user_id, conversation_id, parent_id, parent_position)
        REFERENCES message (user_id, conversation_id, id, position),
    CHECK ((status = 'GENERATING') = (lease_owner IS NOT NULL)),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CHECK ((status IN ('COMPLETE', 'STOPPED', 'FAILED')) = (finished_at IS NOT NULL)),
    CHECK (rating IS NOT NULL OR rating_comment IS NULL),
    CHECK ((role = 'ASSISTANT') = (assistant_id IS NOT NULL)),
    CHECK (assistant_id IS NOT NULL OR parameters IS NULL),
    CHECK ((parent_id IS NULL) = (position = 1))
) {table};

-- One visible message per place, whatever races; also every page of a conversation.
CREATE UNIQUE INDEX message_active_position ON message (user_id, conversation_id, position) WHERE active;
-- One running reply per conversation, across servers; also what the sweep for expired leases reads.
CREATE UNIQUE INDEX message_generating ON message (user_id, conversation_id) WHERE status = 'GENERATING';
-- Replies that wait for their turn.
CREATE INDEX message_queued ON message (user_id, conversation_id, position) WHERE status = 'QUEUED';
-- Siblings, in order of creation; one write makes one at most.
CREATE UNIQUE INDEX message_siblings ON message (user_id, conversation_id, parent_id, created_revision);
-- What has changed since a revision.
CREATE INDEX message_revision ON message (user_id, revision, id);

-- What other devices need to learn of a deleted message: no content, and no key into the other tables.
CREATE TABLE deleted_message (
    user_id {user} NOT NULL,
    id {uuid} NOT NULL,
    conversation_id {uuid} NOT NULL,
    revision {big} NOT NULL,
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, conversation_id) REFERENCES conversation (user_id, id) ON DELETE CASCADE
) {table};

-- What was deleted since a revision.
CREATE UNIQUE INDEX deleted_message_revision ON deleted_message (user_id, revision, id);

-- A repeated request finds what the first one made. It outlives the rows, lest a late retry bring back what was
-- deleted; the digest of a text does not outlive it.
CREATE TABLE receipt (
    user_id {user} NOT NULL REFERENCES account (user_id),
    idempotency_key TEXT NOT NULL,
    request_digest {bytes},
    conversation_id {uuid},
    message_id {uuid},
    reply_id {uuid},
    created_at {instant} NOT NULL,
    unfinished {flag} NOT NULL DEFAULT FALSE,
    PRIMARY KEY (user_id, idempotency_key)
) {table};

-- The receipt of a message or conversation that is deleted.
CREATE INDEX receipt_message ON receipt (user_id, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX receipt_conversation ON receipt (user_id, conversation_id) WHERE conversation_id IS NOT NULL;
-- Receipts that are too old. The owner does not lead this index: it is appended to, so each send pays least for it,
-- and only the job that deletes old receipts reads it.
CREATE INDEX receipt_age ON receipt (created_at);

-- For each step that older servers can live with, the earliest step whose servers can.
CREATE TABLE schema_version (
    step TEXT NOT NULL PRIMARY KEY,
    compatible_from TEXT NOT NULL
) {table};
";

const DOWN: &str = r"
DROP TABLE schema_version;
DROP TABLE receipt;
DROP TABLE deleted_message;
DROP TABLE message;
DROP TABLE viewer_setting;
DROP TABLE conversation_setting;
DROP TABLE conversation_metadata;
DROP TABLE conversation;
DROP TABLE account;
";
