//! The fields of a message, for queries that are compiled.

use super::fields::{MessageStatus, Role};
use super::parts::{MessagePart, ReasoningPart, TextPart, ToolCall};
use crate::chat::{LongColumns, MessageColumns, QueuePosition};
use crate::graphql::assistant::{ASSISTANT, Assistant, PARAMETERS};
use crate::graphql::compiled::{
    Compiler, Field, Json, MessageNode, MessageOrder, Node, ObjectType, Selected, Typed, Write, Written,
    conversation_of_message, list, long, parent, rank, siblings, value,
};
use crate::graphql::reply::{FAILURE, FEEDBACK, FinishReason, USAGE};
use crate::graphql::shared::{Listed, MessageCursor, QueueCursor, ReplyCursor, SiblingCursor};
use crate::reply::ReplyPosition;

const DETAILS: MessageColumns = MessageColumns { details: true, ..MessageColumns::NONE };
const CONTENT: MessageColumns =
    MessageColumns { long: LongColumns { content: true, ..LongColumns::NONE }, ..MessageColumns::NONE };
const PARTS: MessageColumns = MessageColumns { long: LongColumns::ALL, ..MessageColumns::NONE };

/// The fields for which no details are read.
const BRIEF: &[&str] = &["id", "conversation", "role", "status", "content", "parts", "position", "createdAt"];

impl Typed for MessageNode {
    fn object() -> ObjectType<Self> {
        ObjectType::new(&["Message", "Node"], field)
    }
}

impl Node for MessageNode {
    type Order = MessageOrder;
    const CONNECTION: &'static [&'static str] = &[super::Message::CONNECTION];
    const EDGE: &'static [&'static str] = &[super::Message::EDGE];

    fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Write<Self>> {
        Self::object().writer(compiler, selected)
    }

    fn write_cursor(&self, order: MessageOrder, json: &mut Json<'_>) -> Written {
        match order {
            MessageOrder::Path(conversation) => {
                json.cursor(&MessageCursor { conversation, leaf: None, position: self.position })
            }
            MessageOrder::Queue(conversation) => {
                json.cursor(&QueueCursor { conversation, place: QueuePosition::of(self) })
            }
            MessageOrder::Siblings(group) => {
                json.cursor(&SiblingCursor { group, revision: self.created_revision })
            }
        }
    }
}

fn field(name: &str) -> Option<Field<MessageNode>> {
    let field = line(name)?;
    Some(if BRIEF.contains(&name) { field } else { field.noting(|compiler| compiler.columns(DETAILS)) })
}

fn line(name: &str) -> Option<Field<MessageNode>> {
    match name {
        "id" => value(|it, json| json.id(it.id)),
        "parent" => parent(),
        "conversation" => conversation_of_message(),
        "role" => value(|it, json| json.variant(Role::from(it.role))),
        "status" => value(|it, json| json.variant(MessageStatus::from(it.status))),
        "content" => long(CONTENT, |it, json| json.text(&it.content)),
        "parts" => parts(),
        "progressCursor" => long(PARTS, |it, json| {
            json.optional(ReplyPosition::in_row(it), |json, position| {
                json.cursor(&ReplyCursor { reply: it.id, position })
            })
        }),
        "failure" => FAILURE.optional(|it| it.failure.as_ref()),
        "finishReason" => value(|it, json| {
            json.optional(it.finish_reason, |json, reason| json.variant(FinishReason::from(reason)))
        }),
        "assistantId" => value(|it, json| json.optional(it.assistant_id.as_deref(), Json::string)),
        "assistant" => assistant(),
        "parameters" => PARAMETERS.optional(|it| it.parameters.as_ref()),
        "model" => value(|it, json| json.optional(it.model.as_deref(), Json::string)),
        "usage" => USAGE.optional(|it| it.usage.as_ref()),
        "feedback" => FEEDBACK.optional(|it| it.rating.is_some().then_some(&**it)),
        "metadata" => value(|it, json| json.metadata(&it.metadata)),
        "position" => value(|it, json| json.number(it.position)),
        "siblings" => siblings(),
        "siblingIndex" => rank(|rank, json| json.number(rank.index)),
        "siblingCount" => rank(|rank, json| json.number(rank.count)),
        "previousVersionId" => rank(|rank, json| json.optional(rank.previous, Json::id)),
        "nextVersionId" => rank(|rank, json| json.optional(rank.next, Json::id)),
        "active" => value(|it, json| json.boolean(it.active)),
        "createdAt" => value(|it, json| json.instant(it.created_at)),
        "finishedAt" => value(|it, json| json.optional(it.finished_at, Json::instant)),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the lines of a table all return the same")]
fn assistant() -> Option<Field<MessageNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let plan = ASSISTANT.compile(compiler, selected)?;
        Some(Box::new(move |it: &MessageNode, json: &mut Json<'_>| {
            let id = it.assistant_id.as_deref();
            let assistant = id.and_then(|id| Assistant::of_reply(json.chat(), id));
            json.optional(assistant, |json, assistant| plan.write(&assistant, json))
        }))
    })))
}

const TEXT: ObjectType<TextPart> = ObjectType::new(&["TextPart", "MessagePart"], text_field)
    .of_union(&["ReasoningPart", "ToolCall"])
    .simple();

fn text_field(name: &str) -> Option<Field<TextPart>> {
    match name {
        "text" => value(|it, json| json.string(&it.text)),
        _ => None,
    }
}

const REASONING: ObjectType<ReasoningPart> =
    ObjectType::new(&["ReasoningPart", "MessagePart"], reasoning_field)
        .of_union(&["TextPart", "ToolCall"])
        .simple();

fn reasoning_field(name: &str) -> Option<Field<ReasoningPart>> {
    match name {
        "text" => value(|it, json| json.string(&it.text)),
        "startedAt" => value(|it, json| json.instant(it.started_at.0)),
        "finishedAt" => value(|it, json| json.optional(it.finished_at, |json, at| json.instant(at.0))),
        _ => None,
    }
}

pub(in crate::graphql) const TOOL_CALL: ObjectType<ToolCall> =
    ObjectType::new(&["ToolCall", "MessagePart"], tool_call_field).of_union(&["TextPart", "ReasoningPart"]);

fn tool_call_field(name: &str) -> Option<Field<ToolCall>> {
    match name {
        "id" => value(|it, json| json.string(&it.id)),
        "callId" => value(|it, json| json.string(&it.call.call_id)),
        "name" => value(|it, json| json.string(&it.call.name)),
        "arguments" => value(|it, json| json.string(&it.call.arguments)),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the lines of a table all return the same")]
fn parts() -> Option<Field<MessageNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        compiler.columns(PARTS);
        let text = TEXT.compile(compiler, selected)?;
        let reasoning = REASONING.compile(compiler, selected)?;
        let call = TOOL_CALL.compile(compiler, selected)?;
        let position = selected.position;
        Some(Box::new(move |it: &MessageNode, json: &mut Json<'_>| {
            let parts = MessagePart::all_of(json.chat(), it)?;
            list(parts, position, json, |part, json| match part {
                MessagePart::Text(part) => text.write(&part, json),
                MessagePart::Reasoning(part) => reasoning.write(&part, json),
                MessagePart::ToolCall(part) => call.write(&part, json),
            })
        }))
    })))
}
