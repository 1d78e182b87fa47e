//! What cannot be indexed is tried again later, and holds up nothing else.

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

// How often it failed, and when it may be tried again. A server that does not know the columns tries again at once.
const UP: &str = "
ALTER TABLE search_backlog ADD COLUMN attempts {big} NOT NULL DEFAULT 0;
ALTER TABLE search_backlog ADD COLUMN retry_at {instant};
";

const DOWN: &str = "
ALTER TABLE search_backlog DROP COLUMN retry_at;
ALTER TABLE search_backlog DROP COLUMN attempts;
";
