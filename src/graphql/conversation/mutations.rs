//! Creating, reading and copying conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::Conversation;
use crate::assistant::Parameters;
use crate::chat::{ConversationSettings, CreateConversation, ForkConversation, MarkRead};
use crate::graphql::assistant::ParametersInput;
use crate::graphql::shared::{ContextExt, Json, Payload, parse_metadata, payload, require_id};

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
    ) -> Payload<CreateConversationPayload> {
        payload(async {
            let request = CreateConversation {
                title: input.title,
                metadata: parse_metadata(input.metadata)?,
                settings: ConversationSettings {
                    assistant_id: input.assistant_id.map(|id| id.0).into(),
                    parameters: input.parameters.map(Parameters::from).into(),
                    instructions: input.instructions.into(),
                },
                idempotency_key: input.idempotency_key,
            };
            let row = context.chat()?.create_conversation(request).await?;
            Ok(CreateConversationPayload { conversation: row.into() })
        })
        .await
    }

    /// Marks the messages of a conversation as read up to a message, for all of the viewer's devices. It changes nothing
    /// if the viewer has already read further, or if the message is no longer on the active path.
    async fn mark_read(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: MarkReadInput,
    ) -> Payload<MarkReadPayload> {
        payload(async {
            let chat = context.chat()?;
            let request = MarkRead {
                conversation_id: require_id(&input.conversation_id, "conversation")?,
                message_id: require_id(&input.up_to_message_id, "message")?,
                idempotency_key: input.idempotency_key,
            };
            Ok(MarkReadPayload { conversation: chat.mark_read(request).await?.into() })
        })
        .await
    }

    /// Copies a message and all messages before it on its branch into a new conversation with the same title. The
    /// original conversation does not change. The mutation fails with `CONVERSATION_BUSY` if one of these messages is a
    /// reply that has not ended, as its copy would never end: stop it, or copy the messages before it. Other replies of
    /// the conversation do not matter, so that there is no `onBusy`.
    async fn fork_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: ForkConversationInput,
    ) -> Payload<ForkConversationPayload> {
        payload(async {
            let chat = context.chat()?;
            let request = ForkConversation {
                message_id: require_id(&input.message_id, "message")?,
                idempotency_key: input.idempotency_key,
                metadata: parse_metadata(input.metadata)?,
            };
            Ok(ForkConversationPayload { conversation: chat.fork_conversation(request).await?.into() })
        })
        .await
    }
}

/// The input of `createConversation`.
#[derive(InputObject)]
struct CreateConversationInput {
    /// The title: 1 to 200 characters after trimming, without control characters. If it is omitted, the first message
    /// provides one.
    title: Option<String>,
    /// The client's own JSON object: at most 4,096 bytes as compact JSON, nested at most 16 levels deep, without NUL
    /// characters, at most 64 different values. If it is omitted, it is empty.
    metadata: Option<Json>,
    /// The id of the assistant that writes the conversation's replies; see `UpdateConversationInput.assistantId`.
    assistant_id: Option<ID>,
    /// How the assistant is to write; see `UpdateConversationInput.parameters`.
    parameters: Option<ParametersInput>,
    /// What the assistant is told before the conversation; see `UpdateConversationInput.instructions`.
    instructions: Option<String>,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `createConversation`.
#[derive(SimpleObject)]
struct CreateConversationPayload {
    /// The new conversation.
    conversation: Conversation,
}

/// The input of `markRead`.
#[derive(InputObject)]
struct MarkReadInput {
    /// The id of the conversation.
    conversation_id: ID,
    /// The id of the last message that was read. It and all messages before it count as read.
    up_to_message_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
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
