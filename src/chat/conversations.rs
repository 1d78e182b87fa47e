//! The viewer's conversations.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Select};
use uuid::Uuid;

use super::{Chat, Metadata, text};
use crate::database::Write;
use crate::entity::conversation::{self, Column, Entity, TitleOrigin};
use crate::error::Error;
use crate::index;

impl Chat {
    /// The viewer's conversations that are not deleted. Every query of conversations begins with this.
    pub(super) fn own_conversations(&self) -> Select<Entity> {
        Entity::find().filter(Column::UserId.eq(self.user())).filter(Column::DeletedAt.is_null())
    }

    /// The conversation, if the viewer has it.
    pub async fn conversation(&self, id: Uuid) -> Result<Option<Arc<conversation::Model>>, Error> {
        let query = self.own_conversations().filter(Column::Id.eq(id));
        Ok(self.rows(query).await?.pop())
    }

    /// The conversations of messages that were just read. Deleted ones are included: one that was deleted since then
    /// still belongs to the messages that the answer has.
    pub async fn conversations_of_messages(
        &self,
        ids: &[Uuid],
    ) -> Result<Vec<Arc<conversation::Model>>, Error> {
        let query = Entity::find()
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.is_in(ids.iter().copied()));
        self.rows(query).await
    }

    /// Starts a conversation without messages.
    pub async fn create_conversation(
        &self,
        title: Option<&str>,
        metadata: Metadata,
    ) -> Result<conversation::Model, Error> {
        let title = title.map(text::title).transpose()?;
        let title = title.map(|title| (title.to_owned(), TitleOrigin::User));
        self.write((title, metadata.into_text()), |chat, write, (title, metadata)| {
            Box::pin(async move {
                let row = conversation::Model {
                    metadata: metadata.clone(),
                    ..chat.new_conversation(write, title.clone(), 0)
                };
                Entity::insert(row.clone().into_active_model()).exec_without_returning(&**write).await?;
                index::index_title(write, &row).await?;
                Ok(row)
            })
        })
        .await
    }

    /// Sets the title of a conversation.
    pub async fn rename_conversation(&self, id: Uuid, title: &str) -> Result<conversation::Model, Error> {
        let title = text::title(title)?;
        self.write(title.to_owned(), move |chat, write, title| {
            Box::pin(async move {
                let name = [
                    (Column::Title, Expr::value(title.as_str())),
                    (Column::TitleKey, Expr::value(text::title_key(title))),
                    (Column::TitleOrigin, Expr::value(TitleOrigin::User.to_value())),
                ];
                let row = chat.update_conversation(write, id, name).await?;
                index::index_title(write, &row).await?;
                Ok(row)
            })
        })
        .await
    }

    /// The conversation, read in the transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such conversation.
    pub(super) async fn conversation_within(
        &self,
        write: &Write,
        id: Uuid,
    ) -> Result<conversation::Model, Error> {
        let row = self.own_conversations().filter(Column::Id.eq(id)).one(&**write).await?;
        row.ok_or(Error::NotFound("conversation"))
    }

    /// The row of a new conversation, which is not stored yet.
    pub(super) fn new_conversation(
        &self,
        write: &Write,
        title: Option<(String, TitleOrigin)>,
        last_position: i64,
    ) -> conversation::Model {
        let (title, title_origin) = title.unzip();
        conversation::Model {
            user_id: self.user().to_owned(),
            id: Uuid::now_v7(),
            title_key: title.as_deref().map(text::title_key).unwrap_or_default(),
            title,
            title_origin,
            last_position,
            read_position: 0,
            metadata: Metadata::default().into_text(),
            created_at: write.now,
            updated_at: write.now,
            archived_at: None,
            pinned_at: None,
            deleted_at: None,
            erasing_at: None,
            erased_at: None,
            restored_revision: None,
            path_revision: None,
            path_target_id: None,
            path_target_read: None,
            deletion_id: None,
            step_at: None,
            revision: write.revision,
        }
    }

    /// Updates one of the viewer's conversations, and returns the new row.
    pub(super) async fn update_conversation(
        &self,
        write: &Write,
        id: Uuid,
        changes: impl IntoIterator<Item = (Column, SimpleExpr)>,
    ) -> Result<conversation::Model, Error> {
        let mut update = Entity::update_many()
            .col_expr(Column::Revision, Expr::value(write.revision))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(id))
            .filter(Column::DeletedAt.is_null());
        for (column, value) in changes {
            update = update.col_expr(column, value);
        }
        update.exec_with_returning(&**write).await?.pop().ok_or(Error::NotFound("conversation"))
    }
}
