//! What editing, regenerating, activating, deleting and forking take and give.

use async_graphql::{ID, InputObject, SimpleObject};

use super::conversation::Conversation;
use super::message::Message;
use super::mutation::OnBusy;
use super::scalar::Json;

/// Another version of a user's message.
#[derive(InputObject)]
pub(super) struct EditMessageInput {
    /// The message, of role `USER`; on the active path or not.
    pub(super) message_id: ID,
    /// The new version's text, 1 to 32,000 characters after trimming unless the server is configured otherwise;
    /// without NUL.
    pub(super) content: String,
    /// The client's name for this request; see `SendMessageInput.idempotencyKey`.
    pub(super) idempotency_key: Option<String>,
    /// Whether to answer only when the reply has ended.
    #[graphql(default_with = "Some(true)")]
    pub(super) await_reply: Option<bool>,
    /// What to do if a reply is under way in the conversation. `ROLLBACK` is as `INTERRUPT` here, as the turns after
    /// the message leave the active path in any case.
    #[graphql(default_with = "Some(OnBusy::Enqueue)")]
    pub(super) on_busy: Option<OnBusy>,
    /// The client's own JSON object beside the new version; see `SendMessageInput.metadata`. It is not taken over from
    /// the old one.
    pub(super) metadata: Option<Json>,
}

/// What an edit has made.
#[derive(SimpleObject)]
pub(super) struct EditMessagePayload {
    /// The conversation.
    pub(super) conversation: Conversation,
    /// The new version.
    pub(super) message: Message,
    /// The assistant's reply to it: ended, or with `awaitReply: false` perhaps not yet begun.
    pub(super) reply: Message,
}

/// Another version of a reply.
#[derive(InputObject)]
pub(super) struct RegenerateReplyInput {
    /// The reply; on the active path or not, and whatever its status.
    pub(super) message_id: ID,
    /// The client's name for this request; see `SendMessageInput.idempotencyKey`.
    pub(super) idempotency_key: Option<String>,
    /// Whether to answer only when the new reply has ended.
    #[graphql(default_with = "Some(true)")]
    pub(super) await_reply: Option<bool>,
    /// What to do if a reply is under way in the conversation. `ROLLBACK` is as `INTERRUPT` here, as the reply and
    /// the turns after it leave the active path in any case.
    #[graphql(default_with = "Some(OnBusy::Enqueue)")]
    pub(super) on_busy: Option<OnBusy>,
}

/// What a regeneration has made.
#[derive(SimpleObject)]
pub(super) struct RegenerateReplyPayload {
    /// The conversation.
    pub(super) conversation: Conversation,
    /// The new reply: ended, or with `awaitReply: false` perhaps not yet begun.
    pub(super) reply: Message,
}

/// A message to show.
#[derive(InputObject)]
pub(super) struct ActivateMessageInput {
    /// The message.
    pub(super) message_id: ID,
    /// The client's name for this request; see `SendMessageInput.idempotencyKey`.
    pub(super) idempotency_key: Option<String>,
}

/// The message that is shown.
#[derive(SimpleObject)]
pub(super) struct ActivateMessagePayload {
    /// The conversation with its new active path.
    pub(super) conversation: Conversation,
    /// The message.
    pub(super) message: Message,
}

/// A message to delete.
#[derive(InputObject)]
pub(super) struct DeleteMessageInput {
    /// The message.
    pub(super) message_id: ID,
    /// The client's name for this request; see `SendMessageInput.idempotencyKey`.
    pub(super) idempotency_key: Option<String>,
}

/// The message that was deleted.
#[derive(SimpleObject)]
pub(super) struct DeleteMessagePayload {
    /// The id that now names nothing, for the client's cache. Those of the messages below it are in `changes`, of more than a
    /// thousand some with earlier cursors than this one's.
    pub(super) deleted_message_id: ID,
    /// The conversation with what is left of it.
    pub(super) conversation: Conversation,
}

/// A branch to copy.
#[derive(InputObject)]
pub(super) struct ForkConversationInput {
    /// The last message to copy; on the active path or not.
    pub(super) message_id: ID,
    /// The client's name for this request; see `SendMessageInput.idempotencyKey`.
    pub(super) idempotency_key: Option<String>,
}

/// The copy.
#[derive(SimpleObject)]
pub(super) struct ForkConversationPayload {
    /// The new conversation.
    pub(super) conversation: Conversation,
}
