//! Restorations as changes of their own.

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
-- What was taken out of the trash since a revision. Rows that never were have no entry.
CREATE INDEX conversation_restored ON conversation (user_id, restored_revision, id)
    WHERE deleted_at IS NULL AND restored_revision IS NOT NULL;

INSERT INTO schema_version (step, compatible_from)
VALUES ('m20261121_000004_restorations', 'm20261121_000003_search_retries');
";

const DOWN: &str = r"
DROP INDEX conversation_restored;
DELETE FROM schema_version WHERE step = 'm20261121_000004_restorations';
";
