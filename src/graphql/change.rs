//! Changes as clients see them.

use async_graphql::{ID, Lookahead, Object, SimpleObject, Union};

use super::connection::PageInfo;
use super::conversation::Conversation;
use super::cursor::Cursor;
use super::message::Message;
use crate::chat::{Change, LongColumns, Page};

/// Something that has changed for the viewer.
#[derive(Union)]
pub(super) enum ChangeEvent {
    Conversation(ConversationChanged),
    ConversationDeleted(ConversationDeleted),
    ConversationRestored(ConversationRestored),
    Message(MessageChanged),
    MessageDeleted(MessageDeleted),
}

/// A conversation was started, renamed, or changed otherwise.
#[derive(SimpleObject)]
pub(super) struct ConversationChanged {
    /// The place of this change: give the last one received as `since` to go on.
    cursor: String,
    /// The conversation as it is now.
    conversation: Conversation,
}

/// A conversation was deleted, and with it all its messages, which are not told of one by one.
#[derive(SimpleObject)]
pub(super) struct ConversationDeleted {
    /// The place of this change: give the last one received as `since` to go on.
    cursor: String,
    /// The id that now names nothing.
    conversation_id: ID,
}

/// A conversation was taken out of the trash, or is a copy of more than 250 messages: these are not told of one by
/// one, read them anew. If the conversation has been changed since, a `ConversationChanged` comes at the place of that.
#[derive(SimpleObject)]
pub(super) struct ConversationRestored {
    /// The place of this change: give the last one received as `since` to go on.
    cursor: String,
    /// The conversation as it is now.
    conversation: Conversation,
}

/// A message was added, rated or changed otherwise, a reply has begun or ended, or a message has entered or left the
/// active path.
#[derive(SimpleObject)]
pub(super) struct MessageChanged {
    /// The place of this change: give the last one received as `since` to go on.
    cursor: String,
    /// The message as it is now.
    message: Message,
}

/// A message was deleted. What hung below it was too, and each has an event of its own.
#[derive(SimpleObject)]
pub(super) struct MessageDeleted {
    /// The place of this change: give the last one received as `since` to go on.
    cursor: String,
    /// The id that now names nothing.
    message_id: ID,
    /// The id of the conversation that it was part of.
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

/// Which long columns are asked for of the changes that these fields lead to.
pub(super) fn long_columns(changes: &[Lookahead<'_>]) -> LongColumns {
    let asks = |field| changes.iter().any(|change| change.field("message").field(field).exists());
    LongColumns { content: asks("content"), tool_calls: asks("toolCalls") }
}

/// A page of changes, oldest first.
pub(super) struct ChangeConnection(pub(super) Page<Change>);

/// A change's place.
#[derive(SimpleObject)]
pub(super) struct ChangeEdge {
    /// The place, for `since`.
    cursor: String,
    /// The change.
    node: ChangeEvent,
}

/// A page of changes, oldest first.
#[Object]
impl ChangeConnection {
    /// The changes with their places.
    async fn edges(&self) -> Vec<ChangeEdge> {
        let edge =
            |change: &Change| ChangeEdge { cursor: change.cursor().encode(), node: change.clone().into() };
        self.0.items.iter().map(edge).collect()
    }

    /// The changes.
    async fn nodes(&self) -> Vec<ChangeEvent> {
        self.0.items.iter().cloned().map(ChangeEvent::from).collect()
    }

    /// Where this page lies among the changes.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.0, |change| change.cursor().encode())
    }
}
