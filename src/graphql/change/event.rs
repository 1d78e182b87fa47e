//! What can change.

use async_graphql::{ID, SimpleObject, Union};

use crate::chat::Change;
use crate::graphql::conversation::Conversation;
use crate::graphql::message::Message;
use crate::graphql::shared::{Cursor, Listed};

/// A change to one of the viewer's conversations or messages.
#[derive(Union)]
pub(super) enum ChangeEvent {
    Conversation(ConversationChanged),
    ConversationDeleted(ConversationDeleted),
    ConversationRestored(ConversationRestored),
    Message(MessageChanged),
    MessageDeleted(MessageDeleted),
}

/// A conversation was created or changed.
#[derive(SimpleObject)]
pub(super) struct ConversationChanged {
    /// The cursor of this change, for the argument `since`.
    cursor: String,
    /// The conversation as it is now.
    conversation: Conversation,
}

/// A conversation was deleted with all its messages, which have no changes of their own.
#[derive(SimpleObject)]
pub(super) struct ConversationDeleted {
    /// The cursor of this change, for the argument `since`.
    cursor: String,
    /// The id of the deleted conversation.
    conversation_id: ID,
}

/// A conversation was restored from the trash, or was forked with more than 250 messages. Its messages have no
/// changes of their own: query them again. If the conversation has changed since, a `ConversationChanged` follows later
/// in the list.
#[derive(SimpleObject)]
pub(super) struct ConversationRestored {
    /// The cursor of this change, for the argument `since`.
    cursor: String,
    /// The conversation as it is now.
    conversation: Conversation,
}

/// A message was created or changed, a reply has begun or ended, or a message has joined or left the active path.
#[derive(SimpleObject)]
pub(super) struct MessageChanged {
    /// The cursor of this change, for the argument `since`.
    cursor: String,
    /// The message as it is now.
    message: Message,
}

/// A message was deleted. Each message below it was deleted too and has a change of its own.
#[derive(SimpleObject)]
pub(super) struct MessageDeleted {
    /// The cursor of this change, for the argument `since`.
    cursor: String,
    /// The id of the deleted message.
    message_id: ID,
    /// The id of the conversation that contained the message.
    conversation_id: ID,
}

impl From<Change> for ChangeEvent {
    fn from(change: Change) -> Self {
        let cursor = change.cursor().encode();
        match change {
            Change::Conversation(row) if row.deleted_at.is_some() => {
                Self::ConversationDeleted(ConversationDeleted { cursor, conversation_id: row.id.into() })
            }
            Change::Conversation(row) => {
                Self::Conversation(ConversationChanged { cursor, conversation: row.into() })
            }
            Change::Restored(row) => {
                Self::ConversationRestored(ConversationRestored { cursor, conversation: row.into() })
            }
            Change::Message(row, columns) => {
                Self::Message(MessageChanged { cursor, message: Message::partial(row, columns) })
            }
            Change::DeletedMessage(row) => Self::MessageDeleted(MessageDeleted {
                cursor,
                message_id: row.id.into(),
                conversation_id: row.conversation_id.into(),
            }),
        }
    }
}

impl Listed for ChangeEvent {
    const CONNECTION: &'static str = "ChangeConnection";
    const EDGE: &'static str = "ChangeEdge";
}
