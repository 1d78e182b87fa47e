//! What can change.

use async_graphql::{ID, SimpleObject, Union};

use crate::chat::{Change, ChangeCursor, FeedContent, FeedEvent};
use crate::graphql::conversation::Conversation;
use crate::graphql::message::Message;
use crate::graphql::reply::ReplyEvent;
use crate::graphql::shared::{Encoded, Listed};

/// A change to one of the viewer's conversations or messages. More kinds of changes may be added: ignore those that you do
/// not know.
#[derive(Union)]
pub(in crate::graphql) enum ChangeEvent {
    Conversation(ConversationChanged),
    ConversationDeleted(ConversationDeleted),
    ConversationRestored(ConversationRestored),
    ActivePath(ActivePathChanged),
    Message(MessageChanged),
    MessageDeleted(MessageDeleted),
    Progressed(ReplyProgressed),
}

/// A conversation was created or changed.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ConversationChanged {
    /// The cursor of this change, for the argument `since`.
    pub(super) cursor: Encoded<ChangeCursor>,
    /// The conversation as it is now.
    pub(super) conversation: Conversation,
}

/// A conversation was deleted with all its messages, which have no changes of their own.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ConversationDeleted {
    /// The cursor of this change, for the argument `since`.
    pub(super) cursor: Encoded<ChangeCursor>,
    /// The id of the deleted conversation.
    pub(super) conversation_id: ID,
}

/// A conversation was restored from the trash, or was forked with more than 250 messages. Its messages have no
/// changes of their own: query them again. If the conversation has changed since, a `ConversationChanged` follows later
/// in the list.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ConversationRestored {
    /// The cursor of this change, for the argument `since`.
    pub(super) cursor: Encoded<ChangeCursor>,
    /// The conversation as it is now.
    pub(super) conversation: Conversation,
}

/// The active path of a conversation has changed other than by new and deleted messages: `activateMessage` has activated
/// another version, or an edit, a regeneration, a deletion or `onBusy: ROLLBACK` has taken messages off the path or put
/// them on it. The messages have no changes of their own, however many they are.
///
/// The active path consists of the conversation's `lastMessage` and the messages before it, from `parent` to `parent`. A
/// client that has them need not query them again; it sets their `active` by itself, because this field of a message
/// that was received earlier is out of date now. Nothing else about the messages has changed, `siblingIndex`,
/// `siblingCount`, `previousVersionId` and `nextVersionId` included. Messages that were created at the same time follow as
/// `MessageChanged`.
///
/// This event stands for the `ConversationChanged` of the same change. If the conversation has changed since, a
/// `ConversationChanged` follows later in the list.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ActivePathChanged {
    /// The cursor of this change, for the argument `since`.
    pub(super) cursor: Encoded<ChangeCursor>,
    /// The conversation as it is now.
    pub(super) conversation: Conversation,
}

/// A message was created or changed, or a reply has begun or ended. Siblings are not reported: a new message raises the
/// `siblingCount` of the messages with the same parent, and is the `nextVersionId` of the last one of them.
#[derive(SimpleObject)]
pub(in crate::graphql) struct MessageChanged {
    /// The cursor of this change, for the argument `since`.
    pub(super) cursor: Encoded<ChangeCursor>,
    /// The message as it is now.
    pub(super) message: Message,
}

/// A message was deleted. Each message below it was deleted too and has a change of its own. Siblings are not reported:
/// the `siblingCount` of the messages with the same parent is lower by one, and so is the `siblingIndex` of later ones;
/// the versions before and after it are now each other's `nextVersionId` and `previousVersionId`.
#[derive(SimpleObject)]
pub(in crate::graphql) struct MessageDeleted {
    /// The cursor of this change, for the argument `since`.
    pub(super) cursor: Encoded<ChangeCursor>,
    /// The id of the deleted message.
    pub(super) message_id: ID,
    /// The id of the conversation that contained the message.
    pub(super) conversation_id: ID,
}

/// A running reply has more text or reasoning, was restarted, or has ended. Only the subscription `changes` with
/// `replyText: true` has this event.
///
/// Each running reply is first reported by a `MessageChanged`. Its events then continue from exactly the `content` and
/// `parts` of the last `MessageChanged` of the reply, which replaces what was received before. The last event is a
/// `ReplyEnded`, which stands for the `MessageChanged` of the end; a client that has appended all texts need not select
/// `content` there. If the reply was retried at once, or has been deleted, another change is reported instead.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ReplyProgressed {
    /// The cursor for the argument `since` of `changes`: the one of the last change, as text does not move it. A stream
    /// that is resumed with it begins with a `MessageChanged` of each running reply, with the text so far.
    pub(super) cursor: Encoded<ChangeCursor>,
    /// The id of the reply.
    pub(super) message_id: ID,
    /// What has happened. Its own cursor is one for the argument `after` of `replyProgress`.
    pub(super) event: ReplyEvent,
}

impl ChangeEvent {
    /// The event of a change in a feed that has come to `cursor`.
    pub(super) fn new(change: Change, cursor: ChangeCursor) -> Self {
        let cursor = Encoded(cursor);
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
            Change::ActivePath(row) => {
                Self::ActivePath(ActivePathChanged { cursor, conversation: row.into() })
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

impl From<Change> for ChangeEvent {
    fn from(change: Change) -> Self {
        let cursor = change.cursor();
        Self::new(change, cursor)
    }
}

impl From<FeedEvent> for ChangeEvent {
    fn from(event: FeedEvent) -> Self {
        match event.content {
            FeedContent::Change(change) => Self::new(change, event.cursor),
            FeedContent::Reply(id, progress) => Self::Progressed(ReplyProgressed {
                cursor: Encoded(event.cursor),
                message_id: id.into(),
                event: ReplyEvent::new(id, progress),
            }),
        }
    }
}

impl Listed for ChangeEvent {
    const CONNECTION: &'static str = "ChangeConnection";
    const EDGE: &'static str = "ChangeEdge";
}
