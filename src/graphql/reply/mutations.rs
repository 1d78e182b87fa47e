//! Requesting, stopping, retrying and regenerating replies.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::chat::{self, Chat, RegenerateReply, RetryReply, StopReply};
use crate::entity::message;
use crate::error::Error;
use crate::graphql::assistant::{ParametersInput, choice};
use crate::graphql::conversation::Conversation;
use crate::graphql::message::Message;
use crate::graphql::shared::{ContextExt, Json, Payload, parse_metadata, payload, require_id};

#[derive(Debug, Default)]
pub(crate) struct ReplyMutations;

#[Object]
impl ReplyMutations {
    /// Stops a reply, whichever server writes it, and returns when it has ended. Its text up to then is kept. A reply
    /// that has already ended does not change.
    async fn stop_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: StopReplyInput,
    ) -> Payload<StopReplyPayload> {
        payload(async {
            let chat = context.chat()?;
            let request = StopReply {
                message_id: require_id(&input.message_id, "reply")?,
                idempotency_key: input.idempotency_key,
            };
            let row = chat.stop_reply(request).await?;
            Ok(StopReplyPayload { reply: row.into() })
        })
        .await
    }

    /// Restarts a reply that failed or was stopped, as a new attempt of the same reply. A reply that has not ended does
    /// not change. The assistant stays the same. The mutation fails with `INVALID_STATE` if the reply is complete, and with
    /// `NOT_FOUND` if the viewer may no longer choose its assistant.
    async fn retry_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RetryReplyInput,
    ) -> Payload<RetryReplyPayload> {
        payload(async {
            let chat = context.chat()?;
            let wait = input.await_reply;
            let row = chat.retry_reply(input.into_request()?).await?;
            let row = await_reply(chat, row, wait).await?;
            Ok(RetryReplyPayload { reply: row.into() })
        })
        .await
    }

    /// Requests a new version of a reply, which joins the active path. The previous version and the messages below it
    /// are kept, and `activateMessage` can show them again.
    async fn regenerate_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RegenerateReplyInput,
    ) -> Payload<RegenerateReplyPayload> {
        payload(async {
            let chat = context.chat()?;
            let wait = input.await_reply;
            let regenerated = Box::pin(chat.regenerate_reply(input.into_request()?)).await?;
            let reply = await_reply(chat, regenerated.reply, wait).await?;
            Ok(RegenerateReplyPayload { conversation: regenerated.conversation.into(), reply: reply.into() })
        })
        .await
    }
}

/// The input of `stopReply`.
#[derive(InputObject)]
struct StopReplyInput {
    /// The id of the reply.
    message_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`. A request that is repeated with it stops
    /// nothing, and returns when the reply has ended.
    idempotency_key: Option<String>,
}

/// The payload of `stopReply`.
#[derive(SimpleObject)]
struct StopReplyPayload {
    /// The reply. Its status is `STOPPED`, unless it had already ended.
    reply: Message,
}

/// The input of `retryReply`.
#[derive(InputObject)]
pub(super) struct RetryReplyInput {
    /// The id of the reply, whose status must not be `COMPLETE`.
    message_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
    /// Whether to return only when the reply has ended.
    #[graphql(default_with = "Some(true)")]
    await_reply: Option<bool>,
}

impl RetryReplyInput {
    pub(super) fn into_request(self) -> Result<RetryReply, Error> {
        Ok(RetryReply {
            message_id: require_id(&self.message_id, "reply")?,
            idempotency_key: self.idempotency_key,
        })
    }
}

/// The payload of `retryReply`.
#[derive(SimpleObject)]
struct RetryReplyPayload {
    /// The reply. It has ended, unless `awaitReply` was `false`.
    reply: Message,
}

/// The input of `regenerateReply`.
#[derive(InputObject)]
pub(super) struct RegenerateReplyInput {
    /// The id of the reply, which may have any status. It need not be on the active path.
    message_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
    /// Whether to return only when the new reply has ended.
    #[graphql(default_with = "Some(true)")]
    await_reply: Option<bool>,
    /// What to do if a reply in the conversation has not ended. Here `ROLLBACK` is the same as `INTERRUPT`, because the
    /// previous version and the messages after it leave the active path in any case.
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

impl RegenerateReplyInput {
    pub(super) fn into_request(self) -> Result<RegenerateReply, Error> {
        Ok(RegenerateReply {
            message_id: require_id(&self.message_id, "reply")?,
            idempotency_key: self.idempotency_key,
            on_busy: self.on_busy.unwrap_or_default().into(),
            metadata: parse_metadata(self.metadata)?,
            choice: choice(self.assistant_id, self.parameters),
        })
    }
}

/// The payload of `regenerateReply`.
#[derive(SimpleObject)]
struct RegenerateReplyPayload {
    /// The conversation that contains the reply.
    conversation: Conversation,
    /// The new version of the reply. It has ended, unless `awaitReply` was `false`.
    reply: Message,
}

/// What a mutation that requests a reply does to earlier replies in the conversation that have not ended.
#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::OnBusy")]
pub(crate) enum OnBusy {
    /// The new reply begins when they have ended, and takes them into account.
    #[default]
    Enqueue,
    /// The mutation changes nothing and fails with `CONVERSATION_BUSY`.
    Reject,
    /// They are stopped, their text so far is kept, and the new reply begins.
    Interrupt,
    /// As `INTERRUPT`; in addition, the messages at the end of the conversation that are left without a complete reply
    /// leave the active path.
    Rollback,
}

/// The reply: once it has ended, unless `wait` is `false`.
pub(crate) async fn await_reply(
    chat: &Chat,
    reply: message::Model,
    wait: Option<bool>,
) -> Result<message::Model, Error> {
    if wait.unwrap_or(true) && !reply.status.is_terminal() {
        // It waits for long, and needs little of what it begins with.
        Box::pin(chat.reply_ended(reply.id)).await
    } else {
        Ok(reply)
    }
}
