//! Read positions.
//!
//! A conversation stores one position, up to which the active path is read. Unread is what comes after it, except the
//! replies that have not ended; late or repeated reports of devices do no harm. Sending a message marks all before it
//! as read, and activating another version marks that version as read. A path that is truncated is read up to its new
//! end at most.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use uuid::Uuid;

use super::receipt::IdempotentRequest;
use super::{Chat, unchanged};
use crate::entity::{conversation, message};
use crate::error::Error;

/// The change of a conversation whose active path differs after `position`: nothing after it is read.
pub(super) fn read_at_most(position: i64) -> (conversation::Column, SimpleExpr) {
    let read = || Expr::col(conversation::Column::ReadPosition);
    (conversation::Column::ReadPosition, Expr::case(read().gt(position), position).finally(read()).into())
}

/// Messages that a device has shown.
#[derive(Clone, Debug, Serialize)]
pub struct MarkRead {
    /// The conversation.
    pub conversation_id: Uuid,
    /// The last of the messages.
    pub message_id: Uuid,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl Chat {
    /// Marks a conversation as read up to a message. Nothing changes if it is read further already, or if the message
    /// is not on the active path.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message in such a conversation.
    pub async fn mark_read(&self, request: MarkRead) -> Result<conversation::Model, Error> {
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "markRead", &request)?;
        self.write((request, idempotent), move |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let conversation_id = request.conversation_id;
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    return Ok(unchanged(write, chat.conversation_within(write, conversation_id).await?));
                }
                let message = chat
                    .own_messages()
                    .filter(message::Column::Id.eq(request.message_id))
                    .filter(message::Column::ConversationId.eq(conversation_id))
                    .one(&**write)
                    .await?
                    .ok_or(Error::NotFound("message"))?;
                let read = conversation::Entity::update_many()
                    .col_expr(conversation::Column::ReadPosition, Expr::value(message.position))
                    .col_expr(conversation::Column::Revision, Expr::value(write.revision))
                    .filter(conversation::Column::UserId.eq(chat.user()))
                    .filter(conversation::Column::Id.eq(conversation_id))
                    .filter(Expr::col(conversation::Column::ReadPosition).lt(message.position))
                    .filter(Expr::value(message.active));
                let changed = read.exec_with_returning(&**write).await?.pop();
                match changed {
                    Some(row) => Ok(row),
                    None => Ok(unchanged(write, chat.conversation_within(write, conversation_id).await?)),
                }
            })
        })
        .await
    }
}
