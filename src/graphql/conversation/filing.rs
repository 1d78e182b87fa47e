//! Pinning and archiving conversations.

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
