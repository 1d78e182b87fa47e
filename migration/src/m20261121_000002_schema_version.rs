//! Which earlier versions can serve a database, and an index of receipts by age.

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
CREATE TABLE schema_version (
    step TEXT NOT NULL PRIMARY KEY,
    compatible_from TEXT NOT NULL
) {table};

INSERT INTO schema_version (step, compatible_from)
VALUES ('m20261121_000002_schema_version', 'm20261121_000002_schema_version');

-- Receipts that are too old. Not led by the owner, as all others are: it is appended to, which makes it the cheapest
-- that a send pays for, and only the pass that erases them reads it.
CREATE INDEX receipt_age ON receipt (created_at);
";

const DOWN: &str = r"
DROP INDEX receipt_age;
DROP TABLE schema_version;
";
