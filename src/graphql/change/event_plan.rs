//! Changes, for queries and subscriptions that are compiled.

use super::event::{
    ActivePathChanged, ChangeEvent, ConversationChanged, ConversationDeleted, ConversationRestored,
    MessageChanged, MessageDeleted, ReplyProgressed,
};
use crate::chat::ChangeCursor;
use crate::graphql::compiled::{
    Compiler, ConversationOf, Field, Json, MessageNode, Node, ObjectPlan, ObjectType, Selected, Typed, Write,
    Written, conversation, value,
};
use crate::graphql::reply::ReplyEventPlan;
use crate::graphql::shared::Listed;

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
    fn cursor(&self) -> &ChangeCursor {
        match self {
            Self::Conversation(event) => &event.cursor.0,
            Self::ConversationDeleted(event) => &event.cursor.0,
            Self::ConversationRestored(event) => &event.cursor.0,
            Self::ActivePath(event) => &event.cursor.0,
            Self::Message(event) => &event.cursor.0,
            Self::MessageDeleted(event) => &event.cursor.0,
            Self::Progressed(event) => &event.cursor.0,
        }
    }
}

impl Node for ChangeEvent {
    type Order = ();
    const CONNECTION: &'static [&'static str] = &[<Self as Listed>::CONNECTION];
    const EDGE: &'static [&'static str] = &[<Self as Listed>::EDGE];

    fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Write<Self>> {
        let plan = ChangeEventPlan::compile(compiler, selected)?;
        Some(Box::new(move |event: &Self, json: &mut Json<'_>| plan.write(event, json)))
    }

    fn write_cursor(&self, (): (), json: &mut Json<'_>) -> Written {
        json.cursor(self.cursor())
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
        "conversation" => conversation(|it| ConversationOf::Row(it.conversation.row())),
        _ => None,
    }
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
        "conversation" => conversation(|it| ConversationOf::Row(it.conversation.row())),
        _ => None,
    }
}

const ACTIVE_PATH: ObjectType<ActivePathChanged> =
    ObjectType::new(&["ActivePathChanged", "ChangeEvent"], active_path_field).of_union(UNION).simple();

fn active_path_field(name: &str) -> Option<Field<ActivePathChanged>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "conversation" => conversation(|it| ConversationOf::Row(it.conversation.row())),
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
            // What it has was read for itself.
            let plan = compiler.of_whole_rows(|compiler| ReplyEventPlan::compile(compiler, selected))?;
            Some(Box::new(move |it: &ReplyProgressed, json: &mut Json<'_>| plan.write(&it.event, json)))
        }))),
        _ => None,
    }
}
