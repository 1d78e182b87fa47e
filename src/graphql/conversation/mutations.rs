//! Creating, changing and copying conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::Conversation;
use crate::chat::ForkConversation;
use crate::error::Error;
use crate::graphql::shared::{ContextExt, Json, parse_metadata, require_id};

#[derive(Debug, Default)]
pub(crate) struct ConversationMutations;

#[Object]
impl ConversationMutations {
    /// Creates a conversation without messages. To create one with a first message, call `sendMessage` without a
    /// conversation.
    async fn create_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: CreateConversationInput,
    ) -> Result<CreateConversationPayload, Error> {
        let chat = context.chat()?;
        let row = chat.create_conversation(input.title.as_deref(), parse_metadata(input.metadata)?).await?;
        Ok(CreateConversationPayload { conversation: row.into() })
    }

    /// Changes the title of a conversation. The assistant does not replace a title that the user has given.
    async fn rename_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RenameConversationInput,
    ) -> Result<RenameConversationPayload, Error> {
        let chat = context.chat()?;
        let id = require_id(&input.conversation_id, "conversation")?;
        let row = chat.rename_conversation(id, &input.title).await?;
        Ok(RenameConversationPayload { conversation: row.into() })
    }

    /// Replaces the metadata of a conversation.
    async fn set_conversation_metadata(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: SetConversationMetadataInput,
    ) -> Result<SetConversationMetadataPayload, Error> {
        let chat = context.chat()?;
        let id = require_id(&input.conversation_id, "conversation")?;
        let row = chat.set_conversation_metadata(id, parse_metadata(Some(input.metadata))?).await?;
        Ok(SetConversationMetadataPayload { conversation: row.into() })
    }

    /// Marks the messages of a conversation as read up to a message, for all of the viewer's devices. It changes nothing
    /// if the viewer has already read further, or if the message is no longer on the active path.
    async fn mark_read(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: MarkReadInput,
    ) -> Result<MarkReadPayload, Error> {
        let chat = context.chat()?;
        let conversation = require_id(&input.conversation_id, "conversation")?;
        let message = require_id(&input.up_to_message_id, "message")?;
        Ok(MarkReadPayload { conversation: chat.mark_read(conversation, message).await?.into() })
    }

    /// Copies a message and all messages before it on its branch into a new conversation with the same title. The
    /// original conversation does not change. The mutation fails with `CONVERSATION_BUSY` if one of these messages is a
    /// reply that has not ended, as its copy would never end: stop it, or copy the messages before it. Other replies of
    /// the conversation do not matter, so that there is no `onBusy`.
    async fn fork_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: ForkConversationInput,
    ) -> Result<ForkConversationPayload, Error> {
        let chat = context.chat()?;
        let request = ForkConversation {
            message_id: require_id(&input.message_id, "message")?,
            idempotency_key: input.idempotency_key,
            metadata: parse_metadata(input.metadata)?,
        };
        let row = chat.fork_conversation(request).await?;
        Ok(ForkConversationPayload { conversation: row.into() })
    }
}

/// The input of `createConversation`.
#[derive(InputObject)]
struct CreateConversationInput {
    /// The title: 1 to 200 characters after trimming, without control characters. If it is omitted, the first message
    /// provides one.
    title: Option<String>,
    /// The client's own JSON object: at most 4,096 bytes as compact JSON, nested at most 16 levels deep, without NUL
    /// characters. If it is omitted, it is empty.
    metadata: Option<Json>,
}

/// The payload of `createConversation`.
#[derive(SimpleObject)]
struct CreateConversationPayload {
    /// The new conversation.
    conversation: Conversation,
}

/// The input of `renameConversation`.
#[derive(InputObject)]
struct RenameConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
    /// The new title: 1 to 200 characters after trimming, without control characters.
    title: String,
}

/// The payload of `renameConversation`.
#[derive(SimpleObject)]
struct RenameConversationPayload {
    /// The conversation with its new title.
    conversation: Conversation,
}

/// The input of `setConversationMetadata`.
#[derive(InputObject)]
struct SetConversationMetadataInput {
    /// The id of the conversation.
    conversation_id: ID,
    /// The client's own JSON object, which replaces the previous one: at most 4,096 bytes as compact JSON, nested at
    /// most 16 levels deep, without NUL characters.
    metadata: Json,
}

/// The payload of `setConversationMetadata`.
#[derive(SimpleObject)]
struct SetConversationMetadataPayload {
    /// The conversation with its new metadata.
    conversation: Conversation,
}

/// The input of `markRead`.
#[derive(InputObject)]
struct MarkReadInput {
    /// The id of the conversation.
    conversation_id: ID,
    /// The id of the last message that was read. It and all messages before it count as read.
    up_to_message_id: ID,
}

/// The payload of `markRead`.
#[derive(SimpleObject)]
struct MarkReadPayload {
    /// The conversation with its new `unreadCount`.
    conversation: Conversation,
}

/// The input of `forkConversation`.
#[derive(InputObject)]
struct ForkConversationInput {
    /// The id of the last message to copy, on the active path or not.
    message_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
    /// The client's own JSON object for the new conversation; see `CreateConversationInput.metadata`. It is not copied
    /// from the original conversation.
    metadata: Option<Json>,
}

/// The payload of `forkConversation`.
#[derive(SimpleObject)]
struct ForkConversationPayload {
    /// The new conversation.
    conversation: Conversation,
}
