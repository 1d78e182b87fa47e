//! Pinning, archiving, deleting and restoring conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::Conversation;
use crate::error::Error;
use crate::graphql::shared::{ContextExt, require_id};

#[derive(Debug, Default)]
pub(crate) struct FilingMutations;

#[Object]
impl FilingMutations {
    /// Pins a conversation. A conversation that is already pinned does not change.
    async fn pin_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: PinConversationInput,
    ) -> Result<PinConversationPayload, Error> {
        let chat = context.chat()?;
        let row = chat.pin_conversation(require_id(&input.conversation_id, "conversation")?).await?;
        Ok(PinConversationPayload { conversation: row.into() })
    }

    /// Unpins a conversation. A conversation that is not pinned does not change.
    async fn unpin_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: UnpinConversationInput,
    ) -> Result<UnpinConversationPayload, Error> {
        let chat = context.chat()?;
        let row = chat.unpin_conversation(require_id(&input.conversation_id, "conversation")?).await?;
        Ok(UnpinConversationPayload { conversation: row.into() })
    }

    /// Archives a conversation: lists omit it unless their filter includes it. It can still be read and continued.
    async fn archive_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: ArchiveConversationInput,
    ) -> Result<ArchiveConversationPayload, Error> {
        let chat = context.chat()?;
        let row = chat.archive_conversation(require_id(&input.conversation_id, "conversation")?).await?;
        Ok(ArchiveConversationPayload { conversation: row.into() })
    }

    /// Unarchives a conversation. A conversation that is not archived does not change.
    async fn unarchive_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: UnarchiveConversationInput,
    ) -> Result<UnarchiveConversationPayload, Error> {
        let chat = context.chat()?;
        let row = chat.unarchive_conversation(require_id(&input.conversation_id, "conversation")?).await?;
        Ok(UnarchiveConversationPayload { conversation: row.into() })
    }

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

/// The input of `pinConversation`.
#[derive(InputObject)]
struct PinConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
}

/// The payload of `pinConversation`.
#[derive(SimpleObject)]
struct PinConversationPayload {
    /// The pinned conversation.
    conversation: Conversation,
}

/// The input of `unpinConversation`.
#[derive(InputObject)]
struct UnpinConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
}

/// The payload of `unpinConversation`.
#[derive(SimpleObject)]
struct UnpinConversationPayload {
    /// The conversation, no longer pinned.
    conversation: Conversation,
}

/// The input of `archiveConversation`.
#[derive(InputObject)]
struct ArchiveConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
}

/// The payload of `archiveConversation`.
#[derive(SimpleObject)]
struct ArchiveConversationPayload {
    /// The archived conversation.
    conversation: Conversation,
}

/// The input of `unarchiveConversation`.
#[derive(InputObject)]
struct UnarchiveConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
}

/// The payload of `unarchiveConversation`.
#[derive(SimpleObject)]
struct UnarchiveConversationPayload {
    /// The conversation, no longer archived.
    conversation: Conversation,
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
