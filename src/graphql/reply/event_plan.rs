//! The events of a reply, for subscriptions that are compiled.

use super::progress::{
    ReplyEnded, ReplyEvent, ReplyReasoning, ReplyRequested, ReplyRestarted, ReplyStarted, ReplyText,
    ReplyToolCall,
};
use crate::graphql::compiled::{
    Compiler, ConversationOf, Field, Json, MessageNode, ObjectPlan, ObjectType, Selected, Typed, Written,
    answered, conversation, value,
};
use crate::graphql::message::{Message, TOOL_CALL};

/// How the events of a reply are written.
pub(crate) struct ReplyEventPlan {
    requested: ObjectPlan<ReplyRequested>,
    started: ObjectPlan<ReplyStarted>,
    reasoning: ObjectPlan<ReplyReasoning>,
    text: ObjectPlan<ReplyText>,
    tool_call: ObjectPlan<ReplyToolCall>,
    restarted: ObjectPlan<ReplyRestarted>,
    ended: ObjectPlan<ReplyEnded>,
}

impl ReplyEventPlan {
    pub(crate) fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Self> {
        Some(Self {
            requested: REQUESTED.compile(compiler, selected)?,
            started: STARTED.compile(compiler, selected)?,
            reasoning: REASONING.compile(compiler, selected)?,
            text: TEXT.compile(compiler, selected)?,
            tool_call: TOOL_CALLED.compile(compiler, selected)?,
            restarted: RESTARTED.compile(compiler, selected)?,
            ended: ENDED.compile(compiler, selected)?,
        })
    }

    pub(crate) fn write(&self, event: &ReplyEvent, json: &mut Json<'_>) -> Written {
        match event {
            ReplyEvent::Requested(event) => self.requested.write(event, json),
            ReplyEvent::Started(event) => self.started.write(event, json),
            ReplyEvent::Reasoning(event) => self.reasoning.write(event, json),
            ReplyEvent::Text(event) => self.text.write(event, json),
            ReplyEvent::ToolCall(event) => self.tool_call.write(event, json),
            ReplyEvent::Restarted(event) => self.restarted.write(event, json),
            ReplyEvent::Ended(event) => self.ended.write(event, json),
        }
    }
}

const UNION: &[&str] = &[
    "ReplyRequested",
    "ReplyStarted",
    "ReplyReasoning",
    "ReplyText",
    "ReplyToolCall",
    "ReplyRestarted",
    "ReplyEnded",
];

const REQUESTED: ObjectType<ReplyRequested> =
    ObjectType::new(&["ReplyRequested", "ReplyEvent"], requested_field).of_union(UNION);

fn requested_field(name: &str) -> Option<Field<ReplyRequested>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "conversation" => conversation(|it: &ReplyRequested| match &it.conversation {
            Some(conversation) => ConversationOf::Row(conversation.row()),
            None => ConversationOf::Id(it.reply.row().conversation_id),
        }),
        "message" => {
            answered(|it: &ReplyRequested| (it.message.as_ref().map(Message::row), it.reply.row().parent_id))
        }
        "reply" => MessageNode::object().required(|it| it.reply.row()),
        _ => None,
    }
}

const STARTED: ObjectType<ReplyStarted> =
    ObjectType::new(&["ReplyStarted", "ReplyEvent"], started_field).of_union(UNION).simple();

fn started_field(name: &str) -> Option<Field<ReplyStarted>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "attempt" => value(|it, json| json.number(it.attempt)),
        _ => None,
    }
}

const REASONING: ObjectType<ReplyReasoning> =
    ObjectType::new(&["ReplyReasoning", "ReplyEvent"], reasoning_field).of_union(UNION).simple();

fn reasoning_field(name: &str) -> Option<Field<ReplyReasoning>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "text" => value(|it, json| json.string(&it.text)),
        _ => None,
    }
}

const TEXT: ObjectType<ReplyText> =
    ObjectType::new(&["ReplyText", "ReplyEvent"], text_field).of_union(UNION).simple();

fn text_field(name: &str) -> Option<Field<ReplyText>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "text" => value(|it, json| json.string(&it.text)),
        _ => None,
    }
}

const TOOL_CALLED: ObjectType<ReplyToolCall> =
    ObjectType::new(&["ReplyToolCall", "ReplyEvent"], tool_call_field).of_union(UNION).simple();

fn tool_call_field(name: &str) -> Option<Field<ReplyToolCall>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "toolCall" => TOOL_CALL.required(|it| &it.tool_call),
        _ => None,
    }
}

const RESTARTED: ObjectType<ReplyRestarted> =
    ObjectType::new(&["ReplyRestarted", "ReplyEvent"], restarted_field).of_union(UNION).simple();

fn restarted_field(name: &str) -> Option<Field<ReplyRestarted>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "attempt" => value(|it, json| json.number(it.attempt)),
        _ => None,
    }
}

const ENDED: ObjectType<ReplyEnded> =
    ObjectType::new(&["ReplyEnded", "ReplyEvent"], ended_field).of_union(UNION).simple();

fn ended_field(name: &str) -> Option<Field<ReplyEnded>> {
    match name {
        "cursor" => value(|it, json| json.cursor(&it.cursor.0)),
        "reply" => MessageNode::object().required(|it| it.reply.row()),
        _ => None,
    }
}
