//! The search index: folded texts of messages and titles, their tokens, and the texts still to be indexed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, parent) in TABLES {
            let sql = match manager.get_connection().get_database_backend() {
                DbBackend::Sqlite => SQLITE,
                _ => POSTGRES,
            };
            dialect::execute(manager, &sql.replace("{name}", name).replace("{parent}", parent)).await?;
        }
        dialect::execute(manager, BACKLOG).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, DOWN).await?;
        if manager.get_connection().get_database_backend() == DbBackend::Sqlite {
            dialect::execute(manager, DOWN_SQLITE).await?;
        }
        Ok(())
    }
}

const TABLES: [(&str, &str); 2] = [("message", "message"), ("title", "conversation")];

// The server makes the tokens: the `ascii` tokenizer passes on all but ASCII punctuation unchanged. The index stores no
// text and no positions. The trigger deletes tokens with their entry, cascades included.
const SQLITE: &str = r"
CREATE TABLE {name}_search (
    number INTEGER PRIMARY KEY,
    user_id {user} NOT NULL,
    id {uuid} NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (user_id, id),
    FOREIGN KEY (user_id, id) REFERENCES {parent} (user_id, id) ON DELETE CASCADE
) {table};

CREATE VIRTUAL TABLE {name}_token USING fts5 (
    tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

CREATE TRIGGER {name}_search_delete AFTER DELETE ON {name}_search BEGIN
    DELETE FROM {name}_token WHERE rowid = old.number;
END;
";

// The owner leads each lexeme, not the index: an index on (user_id, tokens) would need an extension. Every search reads
// the list of pending rows, so it is not long: a full one takes a search 1.5 ms. When it is full, its rows are moved, and
// each token with one of them is written again with all the texts that it leads to. A list four times as short writes
// twice as much into the log with each message (28 kB in place of 14, of users with 200 messages of 27 words).
const POSTGRES: &str = r"
CREATE TABLE {name}_search (
    user_id {user} NOT NULL,
    id {uuid} NOT NULL,
    text TEXT NOT NULL,
    tokens TSVECTOR NOT NULL,
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, id) REFERENCES {parent} (user_id, id) ON DELETE CASCADE
);

CREATE INDEX {name}_search_tokens ON {name}_search USING gin (tokens) WITH (gin_pending_list_limit = 1024);
";

// The server folds texts, so rows older than this step wait here for it. A later step that changes how texts are folded
// only fills this table again. A text that could not be indexed is retried at `retry_at`.
const BACKLOG: &str = r"
CREATE TABLE search_backlog (
    user_id {user} NOT NULL,
    id {uuid} NOT NULL,
    attempts {big} NOT NULL DEFAULT 0,
    retry_at {instant},
    PRIMARY KEY (user_id, id)
) {table};

INSERT INTO search_backlog (user_id, id)
SELECT user_id, id FROM message WHERE status IN ('COMPLETE', 'STOPPED', 'FAILED') AND content <> ''
UNION ALL
SELECT user_id, id FROM conversation WHERE title IS NOT NULL;
";

const DOWN: &str = r"
DROP TABLE search_backlog;
DROP TABLE message_search;
DROP TABLE title_search;
";

const DOWN_SQLITE: &str = r"
DROP TABLE message_token;
DROP TABLE title_token;
";
