//! Writing.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::context::ContextExt;
use super::conversation::Conversation;
use super::id;
use super::message::Message;
use super::tree::{
    ActivateMessageInput, ActivateMessagePayload, DeleteMessageInput, DeleteMessagePayload, EditMessageInput,
    EditMessagePayload, ForkConversationInput, ForkConversationPayload, RegenerateReplyInput,
    RegenerateReplyPayload,
};
use crate::chat::{
    self, ActivateMessage, Chat, DeleteMessage, EditMessage, ForkConversation, RegenerateReply, SendMessage,
};
use crate::entity::message;
use crate::error::Error;

/// Writing. What belongs to somebody else is as if it did not exist: `NOT_FOUND`.
#[derive(Debug)]
pub struct Mutation;

/// Writing. What belongs to somebody else is as if it did not exist: `NOT_FOUND`.
#[Object]
impl Mutation {
    /// Starts a conversation without messages. `sendMessage` starts one too, where there is a first message.
    async fn create_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to create.")] input: CreateConversationInput,
    ) -> Result<CreateConversationPayload, Error> {
        let row = context.chat()?.create_conversation(input.title.as_deref()).await?;
        Ok(CreateConversationPayload { conversation: row.into() })
    }

    /// Gives a conversation another title.
    async fn rename_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to rename.")] input: RenameConversationInput,
    ) -> Result<RenameConversationPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.conversation_id, "conversation")?;
        let row = chat.rename_conversation(id, &input.title).await?;
        Ok(RenameConversationPayload { conversation: row.into() })
    }

    /// Deletes a conversation with all its messages. A reply that is being written is stopped.
    async fn delete_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to delete.")] input: DeleteConversationInput,
    ) -> Result<DeleteConversationPayload, Error> {
        let chat = context.chat()?;
        chat.delete_conversation(id::require(&input.conversation_id, "conversation")?).await?;
        Ok(DeleteConversationPayload { deleted_conversation_id: input.conversation_id })
    }

    /// Sends a message and has the assistant reply.
    ///
    /// When this answers, the message is stored for good; with `awaitReply: false` the reply is then still to
    /// come. A reply is written to its end even if the client goes away. A reply that fails is no error here:
    /// its `status` is `FAILED`.
    async fn send_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to send.")] input: SendMessageInput,
    ) -> Result<SendMessagePayload, Error> {
        let chat = context.chat()?;
        let conversation_id =
            input.conversation_id.as_ref().map(|id| id::require(id, "conversation")).transpose()?;
        let request = SendMessage {
            conversation_id,
            content: input.content,
            idempotency_key: input.idempotency_key,
            on_busy: input.on_busy.unwrap_or_default().into(),
        };
        let sent = chat.send(request).await?;
        let reply = awaited(chat, sent.reply, input.await_reply).await?;
        Ok(SendMessagePayload {
            conversation: sent.conversation.into(),
            message: sent.message.into(),
            reply: reply.into(),
        })
    }

    /// Stops a reply, whichever server writes it, and answers once it has ended. Its text so far is kept. A reply
    /// that has ended already stays as it is.
    async fn stop_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to stop.")] input: StopReplyInput,
    ) -> Result<StopReplyPayload, Error> {
        let chat = context.chat()?;
        let row = chat.stop_reply(id::require(&input.message_id, "reply")?).await?;
        Ok(StopReplyPayload { reply: row.into() })
    }

    /// Has a reply that failed or was stopped written anew, as the next attempt of the same reply. One that is
    /// under way already stays as it is.
    async fn retry_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to retry.")] input: RetryReplyInput,
    ) -> Result<RetryReplyPayload, Error> {
        let chat = context.chat()?;
        let row = chat.retry_reply(id::require(&input.message_id, "reply")?).await?;
        let row = awaited(chat, row, input.await_reply).await?;
        Ok(RetryReplyPayload { reply: row.into() })
    }

    /// Sends another version of a user's message and has the assistant reply to it. Both are put on the active path;
    /// the old version and what hangs below it stay, and can be activated again.
    async fn edit_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to edit.")] input: EditMessageInput,
    ) -> Result<EditMessagePayload, Error> {
        let chat = context.chat()?;
        let request = EditMessage {
            message_id: id::require(&input.message_id, "message of the user")?,
            content: input.content,
            idempotency_key: input.idempotency_key,
            on_busy: input.on_busy.unwrap_or_default().into(),
        };
        let sent = chat.edit_message(request).await?;
        let reply = awaited(chat, sent.reply, input.await_reply).await?;
        Ok(EditMessagePayload {
            conversation: sent.conversation.into(),
            message: sent.message.into(),
            reply: reply.into(),
        })
    }

    /// Has the assistant write another version of a reply. It is put on the active path; the old version and what
    /// hangs below it stay, and can be activated again.
    async fn regenerate_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to regenerate.")] input: RegenerateReplyInput,
    ) -> Result<RegenerateReplyPayload, Error> {
        let chat = context.chat()?;
        let request = RegenerateReply {
            message_id: id::require(&input.message_id, "reply")?,
            idempotency_key: input.idempotency_key,
            on_busy: input.on_busy.unwrap_or_default().into(),
        };
        let regenerated = chat.regenerate_reply(request).await?;
        let reply = awaited(chat, regenerated.reply, input.await_reply).await?;
        Ok(RegenerateReplyPayload { conversation: regenerated.conversation.into(), reply: reply.into() })
    }

    /// Puts a message on the active path, with what leads to it, and with what leads on from it to the newest
    /// message below it. Replies that are under way go on, on the path or off it.
    async fn activate_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to activate.")] input: ActivateMessageInput,
    ) -> Result<ActivateMessagePayload, Error> {
        let request = ActivateMessage {
            message_id: id::require(&input.message_id, "message")?,
            idempotency_key: input.idempotency_key,
        };
        let activated = context.chat()?.activate_message(request).await?;
        Ok(ActivateMessagePayload {
            conversation: activated.conversation.into(),
            message: activated.message.into(),
        })
    }

    /// Deletes a message and all that hangs below it, for good. If it was on the active path, the path goes on with
    /// the sibling made next before it, or else next after it, and the newest message below that; without a sibling
    /// it ends with the message before. A reply that is being written below it is stopped.
    async fn delete_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to delete.")] input: DeleteMessageInput,
    ) -> Result<DeleteMessagePayload, Error> {
        let request = DeleteMessage {
            message_id: id::require(&input.message_id, "message")?,
            idempotency_key: input.idempotency_key,
        };
        let deleted = context.chat()?.delete_message(request).await?;
        Ok(DeleteMessagePayload {
            deleted_message_id: input.message_id,
            conversation: deleted.conversation.into(),
        })
    }

    /// Copies a message and what leads to it into a new conversation with the same title. The original stays as it
    /// is. `CONVERSATION_BUSY` if a reply among them is still under way.
    async fn fork_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to copy.")] input: ForkConversationInput,
    ) -> Result<ForkConversationPayload, Error> {
        let request = ForkConversation {
            message_id: id::require(&input.message_id, "message")?,
            idempotency_key: input.idempotency_key,
        };
        let row = context.chat()?.fork_conversation(request).await?;
        Ok(ForkConversationPayload { conversation: row.into() })
    }
}

/// The reply once it has ended, unless the client does not want to wait for that.
async fn awaited(chat: &Chat, reply: message::Model, wait: Option<bool>) -> Result<message::Model, Error> {
    if wait.unwrap_or(true) && !reply.status.is_terminal() {
        chat.reply_ended(reply.id).await
    } else {
        Ok(reply)
    }
}

/// A conversation to start.
#[derive(InputObject)]
pub(super) struct CreateConversationInput {
    /// The title, 1 to 200 characters after trimming, without control characters. Without one, the first
    /// message makes it.
    title: Option<String>,
}

/// The conversation that was started.
#[derive(SimpleObject)]
pub(super) struct CreateConversationPayload {
    /// The new conversation.
    conversation: Conversation,
}

/// A conversation to rename.
#[derive(InputObject)]
pub(super) struct RenameConversationInput {
    /// The conversation.
    conversation_id: ID,
    /// The title, 1 to 200 characters after trimming, without control characters.
    title: String,
}

/// The conversation that was renamed.
#[derive(SimpleObject)]
pub(super) struct RenameConversationPayload {
    /// The conversation with its new title.
    conversation: Conversation,
}

/// A conversation to delete.
#[derive(InputObject)]
pub(super) struct DeleteConversationInput {
    /// The conversation.
    conversation_id: ID,
}

/// The conversation that was deleted.
#[derive(SimpleObject)]
pub(super) struct DeleteConversationPayload {
    /// The id that now names nothing, for the client's cache.
    deleted_conversation_id: ID,
}

/// A message to send.
#[derive(InputObject)]
pub(super) struct SendMessageInput {
    /// The conversation. Without one, the message starts a conversation, titled from its first words.
    conversation_id: Option<ID>,
    /// The text, 1 to 32,000 characters after trimming unless the server is configured otherwise; without NUL.
    content: String,
    /// The client's name for this request, 1 to 128 printable ASCII characters, unique among the viewer's: a
    /// request that is repeated with the same key and the same arguments is answered with the first one's
    /// message and reply, and nothing is sent twice. With other arguments it is `IDEMPOTENCY_MISMATCH`. The keys of
    /// all mutations are one set. What was deleted since is `NOT_FOUND`.
    idempotency_key: Option<String>,
    /// Whether to answer only when the reply has ended.
    #[graphql(default_with = "Some(true)")]
    await_reply: Option<bool>,
    /// What to do if a reply is under way in the conversation.
    #[graphql(default_with = "Some(OnBusy::Enqueue)")]
    on_busy: Option<OnBusy>,
}

/// What a message does to replies that are under way in its conversation.
#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::OnBusy")]
pub(super) enum OnBusy {
    /// The new reply waits for its turn, and then sees those before it.
    #[default]
    Enqueue,
    /// Nothing is sent: `CONVERSATION_BUSY`.
    Reject,
    /// They are stopped, their text so far is kept, and then the new reply is written.
    Interrupt,
    /// As `INTERRUPT`, and the turns that are left without a finished reply at the end of the conversation
    /// leave the active path.
    Rollback,
}

/// What a sent message has become.
#[derive(SimpleObject)]
pub(super) struct SendMessagePayload {
    /// The conversation.
    conversation: Conversation,
    /// The user's message.
    message: Message,
    /// The assistant's reply: ended, or with `awaitReply: false` perhaps not yet begun.
    reply: Message,
}

/// A reply to stop.
#[derive(InputObject)]
pub(super) struct StopReplyInput {
    /// The reply.
    message_id: ID,
}

/// The reply that was stopped.
#[derive(SimpleObject)]
pub(super) struct StopReplyPayload {
    /// The reply: `STOPPED`, unless it had ended otherwise before.
    reply: Message,
}

/// A reply to retry.
#[derive(InputObject)]
pub(super) struct RetryReplyInput {
    /// The reply, `FAILED` or `STOPPED`.
    message_id: ID,
    /// Whether to answer only when the reply has ended.
    #[graphql(default_with = "Some(true)")]
    await_reply: Option<bool>,
}

/// The reply that is written anew.
#[derive(SimpleObject)]
pub(super) struct RetryReplyPayload {
    /// The reply: ended, or with `awaitReply: false` perhaps not yet begun.
    reply: Message,
}
