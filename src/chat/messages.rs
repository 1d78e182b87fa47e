//! The viewer's messages.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use serde::Serialize;
use uuid::Uuid;

use super::receipt::IdempotentRequest;
use super::{Chat, Metadata, unchanged};
use crate::database::Write;
use crate::entity::message::{self, Column, Entity, visible};
use crate::error::Error;

/// Metadata of a message to change.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateMessageMetadata {
    /// The message.
    pub message_id: Uuid,
    /// What is merged into the message's metadata.
    pub metadata: Metadata,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl Chat {
    /// The viewer's messages in conversations that are not deleted. Every query of messages begins with this.
    pub(super) fn own_messages(&self) -> Select<Entity> {
        Entity::find().filter(Column::UserId.eq(self.user())).filter(visible())
    }

    /// Updates one of the viewer's messages, and returns the new row.
    pub(super) async fn update_message(
        &self,
        write: &Write,
        id: Uuid,
        changes: impl IntoIterator<Item = (Column, SimpleExpr)>,
    ) -> Result<message::Model, Error> {
        let mut update = Entity::update_many()
            .col_expr(Column::Revision, Expr::value(write.revision))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(id))
            .filter(visible());
        for (column, value) in changes {
            update = update.col_expr(column, value);
        }
        update.exec_with_returning(&**write).await?.pop().ok_or(Error::NotFound("message"))
    }

    /// Merges into the metadata of a message. Nothing changes if they have all of it already.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message; [`Error::BadUserInput`] if the metadata would not be within
    /// their bounds.
    pub async fn update_message_metadata(
        &self,
        request: UpdateMessageMetadata,
    ) -> Result<message::Model, Error> {
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "updateMessageMetadata", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let is_repeated = chat.is_repeated(write, idempotent.as_ref()).await?;
                let row = chat.created_message(write, Some(request.message_id)).await?;
                if is_repeated {
                    return Ok(unchanged(write, row));
                }
                let merged = request.metadata.merged_into(&row.metadata)?;
                if merged.as_str() == row.metadata {
                    return Ok(unchanged(write, row));
                }
                let metadata = [(Column::Metadata, Expr::value(merged.as_str()))];
                chat.update_message(write, row.id, metadata).await
            })
        })
        .await
    }

    /// The message, if the viewer has it.
    pub async fn message(&self, id: Uuid) -> Result<Option<Arc<message::Model>>, Error> {
        let query = self.own_messages().filter(Column::Id.eq(id));
        Ok(self.rows(query).await?.pop())
    }

    /// Those of `ids` that the viewer has.
    pub async fn messages_by_id(&self, ids: &[Uuid]) -> Result<Vec<Arc<message::Model>>, Error> {
        let query = self.own_messages().filter(Column::Id.is_in(ids.iter().copied()));
        self.rows(query).await
    }
}
