//! Deleting a message and what hangs below it.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement, Value};
use uuid::Uuid;

use super::super::receipt::{Made, Repeatable};
use super::super::unread::read_at_most;
use super::super::{AfterCommit, Chat};
use super::activate::{BELOW, Leaf};
use crate::database::Write;
use crate::entity::conversation::{self, Column};
use crate::entity::{deleted_message, message};
use crate::error::Error;
use crate::signal::Topic;

/// A message to delete.
#[derive(Clone, Debug)]
pub struct DeleteMessage {
    /// The message.
    pub message_id: Uuid,
    /// The client's name for this request: a second one with the same key changes nothing.
    pub idempotency_key: Option<String>,
}

/// What is left where a message was deleted.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The conversation.
    pub conversation: conversation::Model,
}

const BURY: &str = "
INSERT INTO deleted_message (user_id, id, conversation_id, revision)
SELECT $1, id, $2, $4 FROM below";

/// The digest of a deleted text goes with it.
const FORGET: &str = "
UPDATE receipt SET request_digest = NULL
WHERE user_id = $1 AND message_id IN (SELECT id FROM deleted_message WHERE user_id = $1 AND revision = $2)";

const ERASE: &str = "
DELETE FROM message
WHERE user_id = $1 AND id IN (SELECT id FROM deleted_message WHERE user_id = $1 AND revision = $2)";

impl Chat {
    /// Deletes a message and all that hangs below it. If it was on the active path, the path goes on with the
    /// sibling made next before it, or else next after it, and the newest message below that; without a sibling it
    /// ends with the message before. Replies that were being written below it are given up at once.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message.
    pub async fn delete_message(&self, request: DeleteMessage) -> Result<Deleted, Error> {
        let arguments = [request.message_id.as_bytes().as_slice()];
        let repeatable = Repeatable::new(request.idempotency_key.as_deref(), "deleteMessage", &arguments)?;
        let id = request.message_id;
        self.write(repeatable, move |chat, write, repeatable| {
            Box::pin(async move {
                match chat.receive(write, repeatable.as_ref(), Made::default()).await? {
                    Some(_) => Ok((chat.deleted_before(write, id).await?, AfterCommit::nothing())),
                    None => chat.delete(write, id).await,
                }
            })
        })
        .await
    }

    async fn deleted_before(&self, write: &Write, id: Uuid) -> Result<Deleted, Error> {
        let key = (self.user().to_owned(), id);
        let tombstone = deleted_message::Entity::find_by_id(key).one(&**write).await?;
        let tombstone = tombstone.ok_or(Error::NotFound("message"))?;
        Ok(Deleted { conversation: self.conversation_within(write, tombstone.conversation_id).await? })
    }

    async fn delete(&self, write: &Write, id: Uuid) -> Result<(Deleted, AfterCommit), Error> {
        let message = self.message_within(write, id).await?.ok_or(Error::NotFound("message"))?;
        let conversation_id = message.conversation_id;
        let mut changes = Vec::new();
        let mut successor: Option<Leaf> = None;
        if message.active {
            if let Some(sibling) = self.nearest_sibling(&**write, &message).await? {
                successor = Some(self.newest_below(write, conversation_id, sibling).await?);
            }
            let length = successor.as_ref().map_or(message.position - 1, |leaf| leaf.position);
            changes.push((Column::LastPosition, Expr::value(length)));
            changes.push(match successor {
                Some(_) => (Column::ReadPosition, Expr::value(length)),
                None => read_at_most(length),
            });
        }
        let conversation = self.update_conversation(write, conversation_id, changes).await?;
        let mut due = AfterCommit::default();
        let unfinished = self.unfinished(write, conversation_id).await?;
        self.erase_below(write, &message).await?;
        // The path's end hung below the message, or was it: nothing has to be cut.
        if let Some(leaf) = successor {
            self.join(write, Some(leaf.id)).await?;
        }
        if !unfinished.is_empty() {
            due.begin = self.replies.advance(write, self.user()).await?;
            // Those that are not below it are only woken in vain.
            due.wake = unfinished.into_iter().flat_map(|id| [Topic::Stop(id), Topic::Reply(id)]).collect();
        }
        Ok((Deleted { conversation }, due))
    }

    async fn erase_below(&self, write: &Write, message: &message::Model) -> Result<(), Error> {
        let (user, revision) = (Value::from(self.user()), Value::from(write.revision));
        let subtree =
            [user.clone(), Value::from(message.conversation_id), Value::from(message.id), revision.clone()];
        let backend = write.get_database_backend();
        let bury = Statement::from_sql_and_values(backend, format!("{BELOW}{BURY}"), subtree);
        write.execute_raw(bury).await?;
        for sql in [FORGET, ERASE] {
            let statement = Statement::from_sql_and_values(backend, sql, [user.clone(), revision.clone()]);
            write.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// The replies that are under way in a conversation.
    async fn unfinished(&self, write: &Write, conversation_id: Uuid) -> Result<Vec<Uuid>, Error> {
        let ids = message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(message::Column::UserId.eq(self.user()))
            .filter(message::Column::ConversationId.eq(conversation_id))
            // Spelled out, as the databases must see that the partial indexes apply.
            .filter(Expr::cust("(status = 'QUEUED' OR status = 'GENERATING')"))
            .into_tuple()
            .all(&**write)
            .await?;
        Ok(ids)
    }
}
