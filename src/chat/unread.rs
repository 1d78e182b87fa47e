//! Read positions.
//!
//! A conversation stores one position, up to which the active path is read. Counting unread messages therefore costs
//! nothing, and late or repeated reports of devices do no harm. Sending a message marks all before it as read, and
//! activating another version marks that version as read. A path that is truncated is read up to its new end at most.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Chat, unchanged};
use crate::entity::{conversation, message};
use crate::error::Error;

/// The change of a conversation whose active path differs after `position`: nothing after it is read.
pub(super) fn read_at_most(position: i64) -> (conversation::Column, SimpleExpr) {
    let read = || Expr::col(conversation::Column::ReadPosition);
    (conversation::Column::ReadPosition, Expr::case(read().gt(position), position).finally(read()).into())
}

impl Chat {
    /// Marks a conversation as read up to a message. Nothing changes if it is read further already, or if the message
    /// is not on the active path.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message in such a conversation.
    pub async fn mark_read(
        &self,
        conversation_id: Uuid,
        message_id: Uuid,
    ) -> Result<conversation::Model, Error> {
        self.write((), move |chat, write, ()| {
            Box::pin(async move {
                let message = chat
                    .own_messages()
                    .filter(message::Column::Id.eq(message_id))
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
