//! What replies have used: an entry for each request to a model, and the sums of each day.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, DOWN).await
    }
}

const UP: &str = r"
-- A request to a model: an attempt at a reply, or a title that was asked for after it. It holds no content, and no key
-- into other tables: it outlives what it was for. Until it is settled, `input` is what is expected. Costs are billionths
-- of the currency; NULL is unknown.
CREATE TABLE usage_entry (
    user_id {user} NOT NULL,
    reply_id {uuid} NOT NULL,
    ordinal INTEGER NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('REPLY', 'RESTART', 'TITLE')),
    assistant_id {key} NOT NULL,
    model TEXT,
    day {date} NOT NULL,
    settled {flag} NOT NULL,
    input {big} NOT NULL CHECK (input >= 0),
    cached_input {big} NOT NULL DEFAULT 0 CHECK (cached_input >= 0),
    output {big} NOT NULL DEFAULT 0 CHECK (output >= 0),
    estimated {flag} NOT NULL DEFAULT FALSE,
    cost {big} CHECK (cost >= 0),
    reserved_tokens {big} NOT NULL CHECK (reserved_tokens >= 0),
    reserved_cost {big} CHECK (reserved_cost >= 0),
    PRIMARY KEY (user_id, reply_id, ordinal)
) {table};

-- The sums of a day's entries, by which quotas are checked: those that are settled, and what the others have reserved. A
-- reply counts once, however many requests were made for it.
CREATE TABLE usage_day (
    user_id {user} NOT NULL,
    day {date} NOT NULL,
    assistant_id {key} NOT NULL,
    replies {big} NOT NULL DEFAULT 0,
    input {big} NOT NULL DEFAULT 0,
    cached_input {big} NOT NULL DEFAULT 0,
    output {big} NOT NULL DEFAULT 0,
    cost {big} NOT NULL DEFAULT 0,
    reserved_replies {big} NOT NULL DEFAULT 0,
    reserved_tokens {big} NOT NULL DEFAULT 0,
    reserved_cost {big} NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, day, assistant_id)
) {table};
";

const DOWN: &str = r"
DROP TABLE usage_day;
DROP TABLE usage_entry;
";
