//! The viewer's conversations.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Select};
use serde::Serialize;
use uuid::Uuid;

use super::metadata_index::{IndexChange, check_values};
use super::receipt::{Created, IdempotentRequest};
use super::{Chat, ConversationSettings, Metadata, text, unchanged};
use crate::database::Write;
use crate::entity::conversation::{self, Column, Entity, TitleOrigin};
use crate::error::Error;
use crate::index;

/// A conversation to create.
#[derive(Clone, Debug, Serialize)]
pub struct CreateConversation {
    /// The title.
    pub title: Option<String>,
    /// The client's metadata.
    pub metadata: Metadata,
    /// Which assistant answers, how, and what it is told.
    #[serde(flatten)]
    pub settings: ConversationSettings,
    /// The idempotency key: a second request with the same key returns the first one's conversation.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

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
    pub async fn conversations_by_id(&self, ids: &[Uuid]) -> Result<Vec<Arc<conversation::Model>>, Error> {
        let query = Entity::find()
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.is_in(ids.iter().copied()));
        self.rows(query).await
    }

    /// Starts a conversation without messages.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the title, the metadata, the parameters or the instructions are not within their bounds;
    /// [`Error::NotFound`] if the viewer may choose no such assistant.
    pub async fn create_conversation(
        &self,
        mut request: CreateConversation,
    ) -> Result<conversation::Model, Error> {
        request.title = request.title.as_deref().map(text::title).transpose()?.map(str::to_owned);
        self.check_instructions(&mut request.settings.instructions)?;
        check_values(&request.metadata)?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "createConversation", &request)?;
        let id = Uuid::now_v7();
        self.write((request, idempotent), move |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let created = Created { conversation: Some(id), ..Created::default() };
                let earlier = chat.record_receipt(write, idempotent.as_ref(), created).await?;
                if let Some(earlier) = earlier.and_then(|earlier| earlier.conversation) {
                    return Ok(unchanged(write, chat.conversation_within(write, earlier).await?));
                }
                let title = request.title.clone().map(|title| (title, TitleOrigin::User));
                let row = conversation::Model {
                    id,
                    metadata: request.metadata.clone().into_text(),
                    ..chat.new_conversation(write, title, 0)
                };
                Entity::insert(row.clone().into_active_model()).exec_without_returning(&**write).await?;
                index::index_title(write, &row).await?;
                chat.index_metadata(write, &[IndexChange::new(&row)]).await?;
                if !request.settings.is_empty() {
                    chat.change_settings(write, id, &request.settings).await?;
                }
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
            metadata: Metadata::default().into_text(),
            created_at: write.now,
            updated_at: write.now,
            revision: write.revision,
            ..conversation::Model::default()
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
