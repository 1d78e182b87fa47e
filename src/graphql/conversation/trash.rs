//! Deleting and restoring conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::Conversation;
use crate::error::Error;
use crate::graphql::shared::{ContextExt, require_id};

#[derive(Debug, Default)]
pub(crate) struct TrashMutations;

#[Object]
impl TrashMutations {
    /// Deletes a conversation with all its messages: it moves to the trash, and a reply that is being written is
    /// stopped. `restoreConversation` can bring it back for 30 days, unless the server is configured otherwise; after
    /// that it is erased permanently.
    async fn delete_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: DeleteConversationInput,
    ) -> Result<DeleteConversationPayload, Error> {
        let chat = context.chat()?;
        chat.delete_conversation(require_id(&input.conversation_id, "conversation")?).await?;
        Ok(DeleteConversationPayload { deleted_conversation_id: input.conversation_id })
    }

    /// Restores a conversation from the trash with all its messages. A conversation that is not deleted does not change.
    /// The mutation fails with `NOT_FOUND` once the conversation can no longer be restored.
    async fn restore_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RestoreConversationInput,
    ) -> Result<RestoreConversationPayload, Error> {
        let chat = context.chat()?;
        let row = chat.restore_conversation(require_id(&input.conversation_id, "conversation")?).await?;
        Ok(RestoreConversationPayload { conversation: row.into() })
    }

    /// Deletes all of the viewer's conversations, archived ones included, as `deleteConversation` deletes one.
    async fn delete_all_conversations(
        &self,
        context: &Context<'_>,
    ) -> Result<DeleteAllConversationsPayload, Error> {
        let deleted_count = context.chat()?.delete_all_conversations().await?;
        Ok(DeleteAllConversationsPayload { deleted_count })
    }
}

/// The input of `deleteConversation`.
#[derive(InputObject)]
struct DeleteConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
}

/// The payload of `deleteConversation`.
#[derive(SimpleObject)]
struct DeleteConversationPayload {
    /// The id of the deleted conversation. No query returns it unless the conversation is restored.
    deleted_conversation_id: ID,
}

/// The input of `restoreConversation`.
#[derive(InputObject)]
struct RestoreConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
}

/// The payload of `restoreConversation`.
#[derive(SimpleObject)]
struct RestoreConversationPayload {
    /// The restored conversation.
    conversation: Conversation,
}

/// The payload of `deleteAllConversations`.
#[derive(SimpleObject)]
struct DeleteAllConversationsPayload {
    /// The number of conversations that were deleted.
    deleted_count: u64,
}
