//! Writing.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::context::ContextExt;
use super::conversation::Conversation;
use super::feedback::{RateReplyInput, RateReplyPayload};
use super::id;
use super::message::Message;
use super::organise::{
    ArchiveConversationInput, ArchiveConversationPayload, DeleteAllConversationsPayload, MarkReadInput,
    MarkReadPayload, PinConversationInput, PinConversationPayload, RestoreConversationInput,
    RestoreConversationPayload, SetConversationMetadataInput, SetConversationMetadataPayload,
    SetMessageMetadataInput, SetMessageMetadataPayload, UnarchiveConversationInput,
    UnarchiveConversationPayload, UnpinConversationInput, UnpinConversationPayload,
};
use super::scalar::Json;
use super::tree::{
    ActivateMessageInput, ActivateMessagePayload, DeleteMessageInput, DeleteMessagePayload, EditMessageInput,
    EditMessagePayload, ForkConversationInput, ForkConversationPayload, RegenerateReplyInput,
    RegenerateReplyPayload,
};
use crate::chat::{
    self, ActivateMessage, Chat, DeleteMessage, EditMessage, ForkConversation, Metadata, RegenerateReply,
    SendMessage,
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
        let chat = context.chat()?;
        let row = chat.create_conversation(input.title.as_deref(), metadata(input.metadata)?).await?;
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

    /// Deletes a conversation with all its messages: it is gone from everything but the trash, and a reply that is
    /// being written is stopped. `restoreConversation` brings it back, for 30 days unless the server is configured
    /// otherwise; then it is erased for good.
    async fn delete_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to delete.")] input: DeleteConversationInput,
    ) -> Result<DeleteConversationPayload, Error> {
        let chat = context.chat()?;
        chat.delete_conversation(id::require(&input.conversation_id, "conversation")?).await?;
        Ok(DeleteConversationPayload { deleted_conversation_id: input.conversation_id })
    }

    /// Pins a conversation. One that is pinned already stays as it is.
    async fn pin_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to pin.")] input: PinConversationInput,
    ) -> Result<PinConversationPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.conversation_id, "conversation")?;
        let row = chat.pin_conversation(id).await?;
        Ok(PinConversationPayload { conversation: row.into() })
    }

    /// Takes a conversation's pin away.
    async fn unpin_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to unpin.")] input: UnpinConversationInput,
    ) -> Result<UnpinConversationPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.conversation_id, "conversation")?;
        let row = chat.unpin_conversation(id).await?;
        Ok(UnpinConversationPayload { conversation: row.into() })
    }

    /// Puts a conversation into the archive: lists leave it out unless asked for it. It can still be read and
    /// continued.
    async fn archive_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to put into the archive.")] input: ArchiveConversationInput,
    ) -> Result<ArchiveConversationPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.conversation_id, "conversation")?;
        let row = chat.archive_conversation(id).await?;
        Ok(ArchiveConversationPayload { conversation: row.into() })
    }

    /// Takes a conversation out of the archive.
    async fn unarchive_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to take out of the archive.")] input: UnarchiveConversationInput,
    ) -> Result<UnarchiveConversationPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.conversation_id, "conversation")?;
        let row = chat.unarchive_conversation(id).await?;
        Ok(UnarchiveConversationPayload { conversation: row.into() })
    }

    /// Takes a conversation out of the trash, with all its messages. One that is not deleted stays as it is; one that
    /// was in the trash for too long is `NOT_FOUND`.
    async fn restore_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to restore.")] input: RestoreConversationInput,
    ) -> Result<RestoreConversationPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.conversation_id, "conversation")?;
        let row = chat.restore_conversation(id).await?;
        Ok(RestoreConversationPayload { conversation: row.into() })
    }

    /// Deletes all of the viewer's conversations, those in the archive too, as `deleteConversation` does with each.
    async fn delete_all_conversations(
        &self,
        context: &Context<'_>,
    ) -> Result<DeleteAllConversationsPayload, Error> {
        let deleted_count = context.chat()?.delete_all_conversations().await?;
        Ok(DeleteAllConversationsPayload { deleted_count })
    }

    /// Replaces the client's own JSON object beside a conversation.
    async fn set_conversation_metadata(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to set.")] input: SetConversationMetadataInput,
    ) -> Result<SetConversationMetadataPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.conversation_id, "conversation")?;
        let row = chat.set_conversation_metadata(id, metadata(Some(input.metadata))?).await?;
        Ok(SetConversationMetadataPayload { conversation: row.into() })
    }

    /// Replaces the client's own JSON object beside a message.
    async fn set_message_metadata(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to set.")] input: SetMessageMetadataInput,
    ) -> Result<SetMessageMetadataPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.message_id, "message")?;
        let row = chat.set_message_metadata(id, metadata(Some(input.metadata))?).await?;
        Ok(SetMessageMetadataPayload { message: row.into() })
    }

    /// Rates a reply, in place of an earlier rating, or takes the rating back.
    async fn rate_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to rate.")] input: RateReplyInput,
    ) -> Result<RateReplyPayload, Error> {
        let chat = context.chat()?;
        let id = id::require(&input.message_id, "reply")?;
        let row = chat.rate_reply(id, input.rating.map(Into::into), input.comment.as_deref()).await?;
        Ok(RateReplyPayload { reply: row.into() })
    }

    /// Notes that the viewer has read a conversation up to a message, on whichever device. It changes nothing if they
    /// have read further already, or if the message has left the active path.
    async fn mark_read(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What was read.")] input: MarkReadInput,
    ) -> Result<MarkReadPayload, Error> {
        let chat = context.chat()?;
        let conversation = id::require(&input.conversation_id, "conversation")?;
        let message = id::require(&input.up_to_message_id, "message")?;
        Ok(MarkReadPayload { conversation: chat.mark_read(conversation, message).await?.into() })
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
            metadata: metadata(input.metadata)?,
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
            metadata: metadata(input.metadata)?,
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
        let chat = context.chat()?;
        let request = ActivateMessage {
            message_id: id::require(&input.message_id, "message")?,
            idempotency_key: input.idempotency_key,
        };
        let activated = chat.activate_message(request).await?;
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
        let chat = context.chat()?;
        let request = DeleteMessage {
            message_id: id::require(&input.message_id, "message")?,
            idempotency_key: input.idempotency_key,
        };
        let deleted = chat.delete_message(request).await?;
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
        let chat = context.chat()?;
        let request = ForkConversation {
            message_id: id::require(&input.message_id, "message")?,
            idempotency_key: input.idempotency_key,
        };
        let row = chat.fork_conversation(request).await?;
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

/// What a client wants to keep of its own, checked.
fn metadata(json: Option<Json>) -> Result<Metadata, Error> {
    json.map_or_else(|| Ok(Metadata::default()), |json| Metadata::new(&json.0))
}

/// A conversation to start.
#[derive(InputObject)]
pub(super) struct CreateConversationInput {
    /// The title, 1 to 200 characters after trimming, without control characters. Without one, the first
    /// message makes it.
    title: Option<String>,
    /// The client's own JSON object: at most 4,096 bytes as compact JSON, nested at most 16 deep, without NUL. Empty
    /// unless given.
    metadata: Option<Json>,
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
    /// The id, which names nothing unless the conversation is restored, for the client's cache.
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
    /// all mutations are one set. What was deleted since is `NOT_FOUND`. A key is remembered for 30 days unless the server is
    /// configured otherwise.
    idempotency_key: Option<String>,
    /// Whether to answer only when the reply has ended.
    #[graphql(default_with = "Some(true)")]
    await_reply: Option<bool>,
    /// What to do if a reply is under way in the conversation.
    #[graphql(default_with = "Some(OnBusy::Enqueue)")]
    on_busy: Option<OnBusy>,
    /// The client's own JSON object beside the message: at most 4,096 bytes as compact JSON, nested at most 16 deep,
    /// without NUL. Empty unless given.
    metadata: Option<Json>,
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
