//! Changes, for subscriptions that are compiled.

use std::sync::Arc;

use super::event::{
    ActivePathChanged, ChangeEvent, ConversationChanged, ConversationDeleted, ConversationRestored,
    MessageChanged, MessageDeleted, ReplyProgressed,
};
use crate::entity::conversation;
use crate::graphql::compiled::{
    Compiler, ConversationNode, Field, Json, MessageNode, Node, ObjectPlan, ObjectType, Selected, Written,
    value,
};
use crate::graphql::conversation::Conversation;
use crate::graphql::reply::ReplyEventPlan;

/// How changes are written.
pub(crate) struct ChangeEventPlan {
    conversation: ObjectPlan<ConversationChanged>,
    conversation_deleted: ObjectPlan<ConversationDeleted>,
    conversation_restored: ObjectPlan<ConversationRestored>,
    active_path: ObjectPlan<ActivePathChanged>,
    message: ObjectPlan<MessageChanged>,
    message_deleted: ObjectPlan<MessageDeleted>,
    progressed: ObjectPlan<ReplyProgressed>,
}

impl ChangeEvent {
    /// The row of the conversation in it.
    pub(in crate::graphql) fn conversation(&self) -> Option<Arc<conversation::Model>> {
        let conversation = match self {
            Self::Conversation(event) => &event.conversation,
            Self::ConversationRestored(event) => &event.conversation,
            Self::ActivePath(event) => &event.conversation,
            _ => return None,
        };
        Some(conversation.row().clone())
    }
}

impl ChangeEventPlan {
    pub(crate) fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Self> {
        Some(Self {
            conversation: CONVERSATION.compile(compiler, selected)?,
            conversation_deleted: CONVERSATION_DELETED.compile(compiler, selected)?,
            conversation_restored: CONVERSATION_RESTORED.compile(compiler, selected)?,
            active_path: ACTIVE_PATH.compile(compiler, selected)?,
            message: MESSAGE.compile(compiler, selected)?,
            message_deleted: MESSAGE_DELETED.compile(compiler, selected)?,
            progressed: PROGRESSED.compile(compiler, selected)?,
        })
    }

    pub(crate) fn write(&self, event: &ChangeEvent, json: &mut Json<'_>) -> Written {
        match event {
            ChangeEvent::Conversation(event) => self.conversation.write(event, json),
            ChangeEvent::ConversationDeleted(event) => self.conversation_deleted.write(event, json),
            ChangeEvent::ConversationRestored(event) => self.conversation_restored.write(event, json),
            ChangeEvent::ActivePath(event) => self.active_path.write(event, json),
            ChangeEvent::Message(event) => self.message.write(event, json),
            ChangeEvent::MessageDeleted(event) => self.message_deleted.write(event, json),
            ChangeEvent::Progressed(event) => self.progressed.write(event, json),
        }
    }
}

const UNION: &[&str] = &[
    "ConversationChanged",
    "ConversationDeleted",
    "ConversationRestored",
    "ActivePathChanged",
    "MessageChanged",
    "MessageDeleted",
    "ReplyProgressed",
];

const CONVERSATION: ObjectType<ConversationChanged> =
    ObjectType::new(&["ConversationChanged", "ChangeEvent"], conversation_field).of_union(UNION).simple();

fn conversation_field(name: &str) -> Option<Field<ConversationChanged>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "conversation" => conversation(|it| &it.conversation),
        _ => None,
    }
}

/// A field with a conversation.
#[expect(clippy::unnecessary_wraps, reason = "the lines of a table all return the same")]
fn conversation<T: 'static>(get: fn(&T) -> &Conversation) -> Option<Field<T>> {
    Some(Field::Compiled(Box::new(move |compiler, selected| {
        let plan = ConversationNode::object().compile(compiler, selected)?;
        Some(Box::new(move |it: &T, json: &mut Json<'_>| get(it).write(&plan, json)))
    })))
}

const CONVERSATION_DELETED: ObjectType<ConversationDeleted> =
    ObjectType::new(&["ConversationDeleted", "ChangeEvent"], conversation_deleted_field)
        .of_union(UNION)
        .simple();

fn conversation_deleted_field(name: &str) -> Option<Field<ConversationDeleted>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "conversationId" => value(|it, json| json.string(&it.conversation_id)),
        _ => None,
    }
}

const CONVERSATION_RESTORED: ObjectType<ConversationRestored> =
    ObjectType::new(&["ConversationRestored", "ChangeEvent"], conversation_restored_field)
        .of_union(UNION)
        .simple();

fn conversation_restored_field(name: &str) -> Option<Field<ConversationRestored>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "conversation" => conversation(|it| &it.conversation),
        _ => None,
    }
}

const ACTIVE_PATH: ObjectType<ActivePathChanged> =
    ObjectType::new(&["ActivePathChanged", "ChangeEvent"], active_path_field).of_union(UNION).simple();

fn active_path_field(name: &str) -> Option<Field<ActivePathChanged>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "conversation" => conversation(|it| &it.conversation),
        _ => None,
    }
}

const MESSAGE: ObjectType<MessageChanged> =
    ObjectType::new(&["MessageChanged", "ChangeEvent"], message_field).of_union(UNION).simple();

fn message_field(name: &str) -> Option<Field<MessageChanged>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "message" => MessageNode::object().required(|it| it.message.row()),
        _ => None,
    }
}

const MESSAGE_DELETED: ObjectType<MessageDeleted> =
    ObjectType::new(&["MessageDeleted", "ChangeEvent"], message_deleted_field).of_union(UNION).simple();

fn message_deleted_field(name: &str) -> Option<Field<MessageDeleted>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "messageId" => value(|it, json| json.string(&it.message_id)),
        "conversationId" => value(|it, json| json.string(&it.conversation_id)),
        _ => None,
    }
}

const PROGRESSED: ObjectType<ReplyProgressed> =
    ObjectType::new(&["ReplyProgressed", "ChangeEvent"], progressed_field).of_union(UNION).simple();

fn progressed_field(name: &str) -> Option<Field<ReplyProgressed>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "messageId" => value(|it, json| json.string(&it.message_id)),
        "event" => Some(Field::Compiled(Box::new(|compiler, selected| {
            let plan = ReplyEventPlan::compile(compiler, selected)?;
            Some(Box::new(move |it: &ReplyProgressed, json: &mut Json<'_>| plan.write(&it.event, json)))
        }))),
        _ => None,
    }
}
