//! Folded texts of messages and titles, what the databases find them by, and what is still to be folded.

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

// The tokens come ready-made: `ascii` takes what is no ASCII punctuation as it is. The index keeps no text and no
// positions. The trigger empties it with the entries, whatever deletes those, cascades included.
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

// The owner leads each lexeme, not the index: an index on (user_id, tokens) would need an extension. The list of
// rows that wait to be merged into the index is read by every search, so it is kept short.
const POSTGRES: &str = r"
CREATE TABLE {name}_search (
    user_id {user} NOT NULL,
    id {uuid} NOT NULL,
    text TEXT NOT NULL,
    tokens TSVECTOR NOT NULL,
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, id) REFERENCES {parent} (user_id, id) ON DELETE CASCADE
);

CREATE INDEX {name}_search_tokens ON {name}_search USING gin (tokens) WITH (gin_pending_list_limit = 256);
";

// Folding is done by the server, so that rows older than this step wait here for it. A later step that changes how
// texts are folded need only fill this again.
const BACKLOG: &str = r"
CREATE TABLE search_backlog (
    user_id {user} NOT NULL,
    id {uuid} NOT NULL,
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
