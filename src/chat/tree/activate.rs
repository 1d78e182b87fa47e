//! Activating another version.

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use uuid::Uuid;

use super::super::path::path_changed;
use super::super::receipt::IdempotentRequest;
use super::super::{Chat, unchanged};
use super::steps::{ensure_no_steps, set_target};
use super::traversal::{STEP, nested_loop};
use crate::database::Write;
use crate::entity::conversation::{self, Column};
use crate::entity::message;
use crate::error::Error;

/// A message to put on the active path.
#[derive(Clone, Debug, Serialize)]
pub struct ActivateMessage {
    /// The message.
    pub message_id: Uuid,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// A message that is on the active path.
#[derive(Clone, Debug)]
pub struct Activated {
    /// The conversation.
    pub conversation: conversation::Model,
    /// The message.
    pub message: message::Model,
}

/// Message `$3` of conversation `$2` of user `$1`, and its descendants.
pub(super) const DESCENDANTS: &str = "
WITH RECURSIVE descendant (id, position, created_revision) AS (
    SELECT id, position, created_revision FROM message
    WHERE user_id = $1 AND conversation_id = $2 AND id = $3
    UNION ALL
    SELECT child.id, child.position, child.created_revision
    FROM descendant CROSS JOIN message AS child
    WHERE child.user_id = $1 AND child.conversation_id = $2 AND child.parent_id = descendant.id
)";

const NEWEST: &str = "
SELECT id, position, COUNT(*) OVER () AS count FROM (SELECT * FROM descendant LIMIT $4) AS few
ORDER BY created_revision DESC, position DESC LIMIT 1";

/// The newest message of a subtree. It has no children, as those would be newer.
#[derive(FromQueryResult)]
pub(super) struct Leaf {
    pub(super) id: Uuid,
    pub(super) position: i64,
    /// How many messages the subtree has, [`STEP`] + 1 at most.
    count: i64,
}

impl Chat {
    /// Puts a message on the active path, with its ancestors, and with the messages from it to its newest descendant.
    /// Queued and running replies go on, whether they are on the path or not.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message.
    pub async fn activate_message(&self, request: ActivateMessage) -> Result<Activated, Error> {
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "activateMessage", &request)?;
        match self.activate_at_once(request.message_id, idempotent.clone()).await {
            Err(Error::TooManyMessages) => self.activate_in_steps(request.message_id, idempotent).await,
            result => result,
        }
    }

    async fn activate_at_once(
        &self,
        id: Uuid,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<Activated, Error> {
        self.write(idempotent, move |chat, write, idempotent| {
            Box::pin(async move {
                let repeated = chat.is_repeated(write, idempotent.as_ref()).await?;
                let message = chat.message_within(write, id).await?;
                let mut message = message.ok_or(Error::NotFound("message"))?;
                let conversation_id = message.conversation_id;
                if repeated {
                    let conversation =
                        ensure_no_steps(chat.conversation_within(write, conversation_id).await?)?;
                    return Ok(unchanged(write, Activated { conversation, message }));
                }
                let leaf = chat.newest_descendant(write, conversation_id, message.id).await?;
                let branch_point =
                    chat.branch_point(write, conversation_id, Some(leaf.id), leaf.position).await?;
                let ancestor = branch_point.ancestor(Some(leaf.id), leaf.position)?;
                // The viewer sees the version that they activate.
                let mut changes = vec![
                    (Column::LastPosition, Expr::value(leaf.position)),
                    (Column::ReadPosition, Expr::value(leaf.position)),
                ];
                if branch_point.moved(leaf.position, ancestor) > 0 {
                    changes.push(path_changed(write));
                }
                let conversation = chat.update_conversation(write, conversation_id, changes).await?;
                chat.set_active_path(write, conversation_id, Some(leaf.id), leaf.position, ancestor).await?;
                message.active = true;
                Ok(Activated { conversation, message })
            })
        })
        .await
    }

    async fn activate_in_steps(
        &self,
        id: Uuid,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<Activated, Error> {
        let started = self.write(idempotent, move |chat, write, idempotent| {
            Box::pin(async move {
                let repeated = chat.is_repeated(write, idempotent.as_ref()).await?;
                let message = chat.message_within(write, id).await?.ok_or(Error::NotFound("message"))?;
                let conversation_id = message.conversation_id;
                ensure_no_steps(chat.conversation_within(write, conversation_id).await?)?;
                if !repeated {
                    chat.update_conversation(write, conversation_id, set_target(write, id, None)).await?;
                }
                Ok(unchanged(write, conversation_id))
            })
        });
        let conversation = self.finish_steps(started.await?).await?;
        let message = self.message(id).await?.ok_or(Error::NotFound("message"))?;
        Ok(Activated { conversation, message: Arc::unwrap_or_clone(message) })
    }

    /// The newest message among `id` and its descendants.
    ///
    /// # Errors
    /// [`Error::TooManyMessages`] if those are more than [`STEP`].
    pub(super) async fn newest_descendant(
        &self,
        write: &Write,
        conversation_id: Uuid,
        id: Uuid,
    ) -> Result<Leaf, Error> {
        let newest = nested_loop(write.get_database_backend(), &format!("{DESCENDANTS}{NEWEST}"));
        let values = [self.user().into(), conversation_id.into(), id.into(), (STEP + 1).into()];
        let leaf: Leaf = write.first(newest, values).await?.ok_or(Error::NotFound("message"))?;
        if leaf.count > STEP { Err(Error::TooManyMessages) } else { Ok(leaf) }
    }
}
