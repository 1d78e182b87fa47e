//! Deleting and restoring conversations.
//!
//! From the commit on, no query finds a deleted conversation. Its rows stay until [`crate::trash`] erases them.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Chat, unchanged};
use crate::entity::conversation::{self, Column, Entity};
use crate::error::Error;

impl Chat {
    /// Moves a conversation with all its messages to the trash. Its queued and running replies are stopped.
    pub async fn delete_conversation(&self, id: Uuid) -> Result<(), Error> {
        self.write(id, |chat, write, &id| {
            Box::pin(async move {
                chat.update_conversation(write, id, [(Column::DeletedAt, Expr::value(write.now))]).await?;
                chat.interrupt(write, Some(id)).await?;
                Ok(())
            })
        })
        .await
    }

    /// Moves all of the viewer's conversations to the trash, archived ones too. Returns how many.
    pub async fn delete_all_conversations(&self) -> Result<u64, Error> {
        self.write((), |chat, write, ()| {
            Box::pin(async move {
                let deleted = Entity::update_many()
                    .col_expr(Column::DeletedAt, Expr::value(write.now))
                    .col_expr(Column::Revision, Expr::value(write.revision))
                    .filter(Column::UserId.eq(chat.user()))
                    .filter(Column::DeletedAt.is_null())
                    .exec(&**write)
                    .await?;
                if deleted.rows_affected == 0 {
                    write.clear_after_commit();
                }
                chat.interrupt(write, None).await?;
                Ok(deleted.rows_affected)
            })
        })
        .await
    }

    /// Restores a conversation from the trash, with all its messages. Replies that were queued or running when it was
    /// deleted are stopped. A conversation that is not in the trash does not change.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such conversation, or it has been in the trash for too long.
    pub async fn restore_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.write(id, |chat, write, &id| {
            Box::pin(async move {
                let restored = Entity::update_many()
                    .col_expr(Column::DeletedAt, Expr::value(None::<sea_orm::prelude::DateTimeUtc>))
                    .col_expr(Column::RestoredRevision, Expr::value(write.revision))
                    .col_expr(Column::Revision, Expr::value(write.revision))
                    .filter(Column::UserId.eq(chat.user()))
                    .filter(Column::Id.eq(id))
                    .filter(chat.restorable())
                    .exec_with_returning(&**write)
                    .await?
                    .pop();
                if let Some(row) = restored {
                    return Ok(row);
                }
                Ok(unchanged(write, chat.conversation_within(write, id).await?))
            })
        })
        .await
    }

    /// The condition that a conversation is in the trash and can be restored.
    pub(super) fn restorable(&self) -> SimpleExpr {
        Expr::col(Column::DeletedAt)
            .gt(self.database.clock().ago(self.limits.trash.keep))
            .and(Column::ErasingAt.is_null())
            // Spelled out, as the databases must see that the partial index applies.
            .and(Expr::cust("deleted_at IS NOT NULL AND erased_at IS NULL"))
    }
}
