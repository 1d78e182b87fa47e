//! Keeping conversations in order, as clients ask for it.

use async_graphql::{ID, InputObject, SimpleObject};

use super::conversation::Conversation;
use super::message::Message;
use super::scalar::Json;

/// A conversation to pin.
#[derive(InputObject)]
pub(super) struct PinConversationInput {
    /// The conversation.
    pub(super) conversation_id: ID,
}

/// The conversation that was pinned.
#[derive(SimpleObject)]
pub(super) struct PinConversationPayload {
    /// The conversation with its pin.
    pub(super) conversation: Conversation,
}

/// A conversation to take the pin from.
#[derive(InputObject)]
pub(super) struct UnpinConversationInput {
    /// The conversation.
    pub(super) conversation_id: ID,
}

/// The conversation whose pin was taken.
#[derive(SimpleObject)]
pub(super) struct UnpinConversationPayload {
    /// The conversation without a pin.
    pub(super) conversation: Conversation,
}

/// A conversation to put into the archive.
#[derive(InputObject)]
pub(super) struct ArchiveConversationInput {
    /// The conversation.
    pub(super) conversation_id: ID,
}

/// The conversation that was put into the archive.
#[derive(SimpleObject)]
pub(super) struct ArchiveConversationPayload {
    /// The conversation, now in the archive.
    pub(super) conversation: Conversation,
}

/// A conversation to take out of the archive.
#[derive(InputObject)]
pub(super) struct UnarchiveConversationInput {
    /// The conversation.
    pub(super) conversation_id: ID,
}

/// The conversation that was taken out of the archive.
#[derive(SimpleObject)]
pub(super) struct UnarchiveConversationPayload {
    /// The conversation, no longer in the archive.
    pub(super) conversation: Conversation,
}

/// A conversation to take out of the trash.
#[derive(InputObject)]
pub(super) struct RestoreConversationInput {
    /// The conversation.
    pub(super) conversation_id: ID,
}

/// The conversation that was taken out of the trash.
#[derive(SimpleObject)]
pub(super) struct RestoreConversationPayload {
    /// The conversation, with its messages.
    pub(super) conversation: Conversation,
}

/// What was deleted.
#[derive(SimpleObject)]
pub(super) struct DeleteAllConversationsPayload {
    /// How many conversations.
    pub(super) deleted_count: u64,
}

/// What to keep beside a conversation.
#[derive(InputObject)]
pub(super) struct SetConversationMetadataInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// The client's own JSON object, in place of the one before: at most 4,096 bytes as compact JSON, nested at most
    /// 16 deep, without NUL.
    pub(super) metadata: Json,
}

/// The conversation whose metadata was set.
#[derive(SimpleObject)]
pub(super) struct SetConversationMetadataPayload {
    /// The conversation with its new metadata.
    pub(super) conversation: Conversation,
}

/// What to keep beside a message.
#[derive(InputObject)]
pub(super) struct SetMessageMetadataInput {
    /// The message.
    pub(super) message_id: ID,
    /// The client's own JSON object, in place of the one before: at most 4,096 bytes as compact JSON, nested at most
    /// 16 deep, without NUL.
    pub(super) metadata: Json,
}

/// The message whose metadata was set.
#[derive(SimpleObject)]
pub(super) struct SetMessageMetadataPayload {
    /// The message with its new metadata.
    pub(super) message: Message,
}

/// How far a conversation was read.
#[derive(InputObject)]
pub(super) struct MarkReadInput {
    /// The conversation.
    pub(super) conversation_id: ID,
    /// The last message that was read; it and all before it are read then.
    pub(super) up_to_message_id: ID,
}

/// The conversation that was read.
#[derive(SimpleObject)]
pub(super) struct MarkReadPayload {
    /// The conversation with its new `unreadCount`.
    pub(super) conversation: Conversation,
}
