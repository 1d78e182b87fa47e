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

/// Metadata to store with a message.
#[derive(Clone, Debug, Serialize)]
pub struct SetMessageMetadata {
    /// The message.
    pub message_id: Uuid,
    /// The metadata, in place of what the message has.
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

    /// Replaces the metadata of a message.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message.
    pub async fn set_message_metadata(&self, request: SetMessageMetadata) -> Result<message::Model, Error> {
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "setMessageMetadata", &request)?;
        let input = (request.message_id, request.metadata.into_text(), idempotent);
        self.write(input, |chat, write, (id, metadata, idempotent)| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    return Ok(unchanged(write, chat.created_message(write, Some(*id)).await?));
                }
                let metadata = [(Column::Metadata, Expr::value(metadata.as_str()))];
                chat.update_message(write, *id, metadata).await
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
