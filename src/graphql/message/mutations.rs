//! Sending, editing, activating and deleting messages.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::Message;
use crate::chat::{ActivateMessage, DeleteMessage, EditMessage, SendMessage, UpdateMessageMetadata};
use crate::error::Error;
use crate::graphql::assistant::{ParametersInput, choice};
use crate::graphql::conversation::Conversation;
use crate::graphql::reply::{OnBusy, await_reply};
use crate::graphql::shared::{ContextExt, Json, Payload, parse_metadata, payload, require_id};

#[derive(Debug, Default)]
pub(crate) struct MessageMutations;

#[Object]
impl MessageMutations {
    /// Sends a message and requests a reply from the assistant.
    ///
    /// When the mutation returns, the message is stored durably; with `awaitReply: false` the reply may not have begun.
    /// The reply is written to its end even if the client disconnects. A reply that fails is not an error of the
    /// mutation: its `status` is `FAILED`.
    async fn send_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: SendMessageInput,
    ) -> Payload<SendMessagePayload> {
        payload(async {
            let chat = context.chat()?;
            let wait = input.await_reply;
            let sent = Box::pin(chat.send(input.into_request()?)).await?;
            let reply = await_reply(chat, sent.reply, wait).await?;
            Ok(SendMessagePayload {
                conversation: sent.conversation.into(),
                message: sent.message.into(),
                reply: reply.into(),
            })
        })
        .await
    }

    /// Sends a new version of a user's message and requests a reply to it. Both join the active path. The previous
    /// version and the messages below it are kept, and `activateMessage` can show them again.
    async fn edit_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: EditMessageInput,
    ) -> Payload<EditMessagePayload> {
        payload(async {
            let chat = context.chat()?;
            let wait = input.await_reply;
            let sent = Box::pin(chat.edit_message(input.into_request()?)).await?;
            let reply = await_reply(chat, sent.reply, wait).await?;
            Ok(EditMessagePayload {
                conversation: sent.conversation.into(),
                message: sent.message.into(),
                reply: reply.into(),
            })
        })
        .await
    }

    /// Changes the metadata of a message: what is given is merged into them, as `updateConversation` does it. If the message
    /// stays as it is, other devices learn of nothing.
    async fn update_message_metadata(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: UpdateMessageMetadataInput,
    ) -> Payload<UpdateMessageMetadataPayload> {
        payload(async {
            let chat = context.chat()?;
            let request = UpdateMessageMetadata {
                message_id: require_id(&input.message_id, "message")?,
                metadata: parse_metadata(Some(input.metadata))?,
                idempotency_key: input.idempotency_key,
            };
            let row = chat.update_message_metadata(request).await?;
            Ok(UpdateMessageMetadataPayload { message: row.into() })
        })
        .await
    }

    /// Puts a message on the active path, together with the messages before it and the branch below it that ends with
    /// the newest message. Replies that have not ended continue, on the active path or not, so that there is no `onBusy`.
    /// The mutation fails with `CONVERSATION_BUSY` while more than 250 messages of the conversation are being moved or
    /// deleted.
    async fn activate_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: ActivateMessageInput,
    ) -> Payload<ActivateMessagePayload> {
        payload(async {
            let chat = context.chat()?;
            let request = ActivateMessage {
                message_id: require_id(&input.message_id, "message")?,
                idempotency_key: input.idempotency_key,
            };
            let activated = Box::pin(chat.activate_message(request)).await?;
            Ok(ActivateMessagePayload {
                conversation: activated.conversation.into(),
                message: activated.message.into(),
            })
        })
        .await
    }

    /// Deletes a message and all messages below it permanently. A reply among them that is being written is stopped, and
    /// any other reply of the conversation continues, so that there is no `onBusy`. The mutation fails with
    /// `CONVERSATION_BUSY` while more than 250 messages of the conversation are being moved or deleted.
    ///
    /// If the message was on the active path, the path continues with the sibling created last before it, or else first
    /// after it, and with the branch below that sibling that ends with the newest message. Without siblings, the path
    /// ends with the message's parent.
    async fn delete_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: DeleteMessageInput,
    ) -> Payload<DeleteMessagePayload> {
        payload(async {
            let chat = context.chat()?;
            let request = DeleteMessage {
                message_id: require_id(&input.message_id, "message")?,
                idempotency_key: input.idempotency_key,
            };
            let deleted = chat.delete_message(request).await?;
            Ok(DeleteMessagePayload {
                deleted_message_id: input.message_id,
                conversation: deleted.conversation.into(),
            })
        })
        .await
    }
}

/// The input of `sendMessage`.
#[derive(InputObject)]
pub(crate) struct SendMessageInput {
    /// The id of the conversation. If it is omitted, the mutation creates a conversation, titled with the message's
    /// first words.
    conversation_id: Option<ID>,
    /// The text: 1 to 32,000 characters after trimming, unless the server is configured otherwise, without NUL
    /// characters.
    content: String,
    /// The client's key for this request: 1 to 128 printable ASCII characters. A request that is repeated with the same
    /// key and the same other arguments, of which `awaitReply` does not count, changes nothing, and returns what the
    /// first one made or changed, as it is now. With other arguments it fails with `IDEMPOTENCY_MISMATCH`, and with
    /// `NOT_FOUND` if what it made has been deleted. All mutations of a viewer share one set of keys. A key expires
    /// after 30 days, unless the server is configured otherwise.
    idempotency_key: Option<String>,
    /// Whether to return only when the reply has ended.
    #[graphql(default_with = "Some(true)")]
    await_reply: Option<bool>,
    /// What to do if a reply in the conversation has not ended.
    #[graphql(default_with = "Some(OnBusy::Enqueue)")]
    on_busy: Option<OnBusy>,
    /// The client's own JSON object: at most 4,096 bytes as compact JSON, nested at most 16 levels deep, without NUL
    /// characters. If it is omitted, it is empty.
    metadata: Option<Json>,
    /// The id of the assistant that is to write the reply. If it is omitted, it is the conversation's, else the viewer's,
    /// else the default one. The mutation fails with `NOT_FOUND` if the viewer may not choose it. A message that
    /// starts a conversation chooses for the conversation, too.
    assistant_id: Option<ID>,
    /// How the assistant is to write, over what the conversation says. A message that starts a conversation sets them for
    /// the conversation, too.
    parameters: Option<ParametersInput>,
}

impl SendMessageInput {
    pub(crate) fn into_request(self) -> Result<SendMessage, Error> {
        Ok(SendMessage {
            conversation_id: self.conversation_id.map(|id| require_id(&id, "conversation")).transpose()?,
            content: self.content,
            idempotency_key: self.idempotency_key,
            on_busy: self.on_busy.unwrap_or_default().into(),
            metadata: parse_metadata(self.metadata)?,
            choice: choice(self.assistant_id, self.parameters),
        })
    }
}

/// The payload of `sendMessage`.
#[derive(SimpleObject)]
struct SendMessagePayload {
    /// The conversation that contains the message.
    conversation: Conversation,
    /// The user's message.
    message: Message,
    /// The assistant's reply. It has ended, unless `awaitReply` was `false`.
    reply: Message,
}

/// The input of `editMessage`.
#[derive(InputObject)]
pub(crate) struct EditMessageInput {
    /// The id of the message, which must have the role `USER`. It need not be on the active path.
    message_id: ID,
    /// The text of the new version: 1 to 32,000 characters after trimming, unless the server is configured otherwise,
    /// without NUL characters.
    content: String,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
    /// Whether to return only when the reply has ended.
    #[graphql(default_with = "Some(true)")]
    await_reply: Option<bool>,
    /// What to do if a reply in the conversation has not ended. Here `ROLLBACK` is the same as `INTERRUPT`, because the
    /// messages after the edited one leave the active path in any case.
    #[graphql(default_with = "Some(OnBusy::Enqueue)")]
    on_busy: Option<OnBusy>,
    /// The client's own JSON object for the new version; see `SendMessageInput.metadata`. It is not copied from the
    /// previous version.
    metadata: Option<Json>,
    /// The id of the assistant that is to write the reply. If it is omitted, it is the conversation's, else the viewer's,
    /// else the default one. The mutation fails with `NOT_FOUND` if the viewer may not choose it.
    assistant_id: Option<ID>,
    /// How the assistant is to write, over what the conversation says.
    parameters: Option<ParametersInput>,
}

impl EditMessageInput {
    pub(crate) fn into_request(self) -> Result<EditMessage, Error> {
        Ok(EditMessage {
            message_id: require_id(&self.message_id, "message of the user")?,
            content: self.content,
            idempotency_key: self.idempotency_key,
            on_busy: self.on_busy.unwrap_or_default().into(),
            metadata: parse_metadata(self.metadata)?,
            choice: choice(self.assistant_id, self.parameters),
        })
    }
}

/// The payload of `editMessage`.
#[derive(SimpleObject)]
struct EditMessagePayload {
    /// The conversation that contains the message.
    conversation: Conversation,
    /// The new version of the message.
    message: Message,
    /// The assistant's reply to the new version. It has ended, unless `awaitReply` was `false`.
    reply: Message,
}

/// The input of `updateMessageMetadata`.
#[derive(InputObject)]
struct UpdateMessageMetadataInput {
    /// The id of the message.
    message_id: ID,
    /// A JSON object that is merged into the metadata (RFC 7396): a key with `null` is removed, objects are merged key
    /// by key, and any other value replaces what is there. The result must be within the bounds of `Message.metadata`.
    metadata: Json,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `updateMessageMetadata`.
#[derive(SimpleObject)]
struct UpdateMessageMetadataPayload {
    /// The message with its new metadata.
    message: Message,
}

/// The input of `activateMessage`.
#[derive(InputObject)]
struct ActivateMessageInput {
    /// The id of the message.
    message_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `activateMessage`.
#[derive(SimpleObject)]
struct ActivateMessagePayload {
    /// The conversation with its new active path.
    conversation: Conversation,
    /// The message, now on the active path.
    message: Message,
}

/// The input of `deleteMessage`.
#[derive(InputObject)]
struct DeleteMessageInput {
    /// The id of the message.
    message_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `deleteMessage`.
#[derive(SimpleObject)]
struct DeleteMessagePayload {
    /// The id of the deleted message. `changes` returns the ids of the messages below it; if there were more than
    /// 250, some with cursors before this one's.
    deleted_message_id: ID,
    /// The conversation with its remaining messages.
    conversation: Conversation,
}
