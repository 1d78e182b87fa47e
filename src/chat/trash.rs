//! Deleting conversations, and bringing them back.
//!
//! A deleted conversation is gone from every query from the same commit on; its rows stay until
//! [`crate::trash`] erases them.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Aftermath, Chat, undisturbed};
use crate::entity::conversation::{self, Column, Entity};
use crate::error::Error;

impl Chat {
    /// Puts a conversation into the trash, with all its messages. Replies under way in it are stopped.
    pub async fn delete_conversation(&self, id: Uuid) -> Result<(), Error> {
        let chat = self.clone();
        undisturbed(async move { chat.trash_now(id).await }).await
    }

    async fn trash_now(&self, id: Uuid) -> Result<(), Error> {
        let aftermath = self
            .database
            .write(self.user(), |write| async move {
                self.update_conversation(&write, id, [(Column::DeletedAt, Expr::value(write.now))]).await?;
                let mut aftermath = Aftermath::default();
                self.interrupt(&write, Some(id), &mut aftermath).await?;
                Ok((write, aftermath))
            })
            .await?;
        self.follow_up(aftermath);
        Ok(())
    }

    /// Puts all of the viewer's conversations into the trash, those in the archive too. Returns how many.
    pub async fn delete_all_conversations(&self) -> Result<u64, Error> {
        let chat = self.clone();
        undisturbed(async move { chat.trash_all_now().await }).await
    }

    async fn trash_all_now(&self) -> Result<u64, Error> {
        let (count, aftermath) = self
            .database
            .write(self.user(), |write| async move {
                let deleted = Entity::update_many()
                    .col_expr(Column::DeletedAt, Expr::value(write.now))
                    .col_expr(Column::Revision, Expr::value(write.revision))
                    .filter(Column::UserId.eq(self.user()))
                    .filter(Column::DeletedAt.is_null())
                    .exec(&*write)
                    .await?;
                let mut aftermath = Aftermath { changed: deleted.rows_affected > 0, ..Aftermath::default() };
                self.interrupt(&write, None, &mut aftermath).await?;
                Ok((write, (deleted.rows_affected, aftermath)))
            })
            .await?;
        self.follow_up(aftermath);
        Ok(count)
    }

    /// Takes a conversation out of the trash, with all its messages as they were when it was deleted, but that
    /// replies then under way are stopped. One that is not in the trash stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such conversation, or it has been in the trash for too long.
    pub async fn restore_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        let (row, aftermath) = self
            .database
            .write(self.user(), |write| async move {
                let restored = Entity::update_many()
                    .col_expr(Column::DeletedAt, Expr::value(None::<sea_orm::prelude::DateTimeUtc>))
                    .col_expr(Column::RestoredRevision, Expr::value(write.revision))
                    .col_expr(Column::Revision, Expr::value(write.revision))
                    .filter(Column::UserId.eq(self.user()))
                    .filter(Column::Id.eq(id))
                    .filter(self.restorable())
                    .exec_with_returning(&*write)
                    .await?
                    .pop();
                if let Some(row) = restored {
                    return Ok((write, (row, Aftermath::default())));
                }
                let there = self.own_conversations().filter(Column::Id.eq(id)).one(&*write).await?;
                let row = there.ok_or(Error::NotFound("conversation"))?;
                Ok((write, (row, Aftermath::nothing())))
            })
            .await?;
        self.follow_up(aftermath);
        Ok(row)
    }

    /// Whether a conversation is in the trash and can be taken out.
    pub(super) fn restorable(&self) -> SimpleExpr {
        Expr::col(Column::DeletedAt)
            .gt(self.database.clock().ago(self.limits.trash))
            .and(Column::ErasingAt.is_null())
            // Spelled out, as the databases must see that the partial index applies.
            .and(Expr::cust("deleted_at IS NOT NULL AND erased_at IS NULL"))
    }
}
