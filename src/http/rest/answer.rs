//! What answers consist of.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::chat::Sent;
use crate::entity::conversation;
use crate::entity::message::{self, Failure, Part, Role, Status};
use crate::error::Code;
use crate::http::problem::errors;

/// What a request for a reply has stored.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Stored {
    #[serde(rename = "conversation_id")]
    conversation: Uuid,
    #[serde(rename = "message_id")]
    message: Uuid,
    #[serde(rename = "reply_id")]
    pub(super) reply: Uuid,
}

impl Stored {
    pub(super) fn of(sent: &Sent) -> Self {
        Self { conversation: sent.conversation.id, message: sent.message.id, reply: sent.reply.id }
    }
}

/// A reply that has ended.
#[derive(Serialize)]
pub(super) struct ReplyAnswer<'r> {
    /// Why there is no reply, or not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Value>,
    #[serde(flatten)]
    stored: Stored,
    status: &'static str,
    response: &'r str,
    tool_calls: Vec<ToolCall<'r>>,
}

impl<'r> ReplyAnswer<'r> {
    pub(super) fn new(stored: Stored, reply: &'r message::Model) -> Self {
        let failure = reply.failure.as_ref().map(|failure| failure.message.as_str());
        let detail = (reply.status == Status::Failed).then(|| failure.unwrap_or_default());
        Self {
            detail,
            errors: detail.map(|detail| {
                let mut errors = errors(Code::AssistantFailed, detail, None);
                errors[0]["extensions"]["failure"] = serde_json::json!(reply.failure);
                errors
            }),
            stored,
            status: status(reply.status),
            response: &reply.content,
            tool_calls: ToolCall::all_of(reply),
        }
    }
}

/// A conversation in a list.
#[derive(Serialize)]
pub(super) struct ConversationItem<'r> {
    id: Uuid,
    title: Option<&'r str>,
    message_count: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl<'r> From<&'r conversation::Model> for ConversationItem<'r> {
    fn from(row: &'r conversation::Model) -> Self {
        Self {
            id: row.id,
            title: row.title.as_deref(),
            message_count: row.last_position,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A message in a list.
#[derive(Serialize)]
pub(super) struct MessageItem<'r> {
    id: Uuid,
    role: &'static str,
    status: &'static str,
    content: &'r str,
    tool_calls: Vec<ToolCall<'r>>,
    failure: Option<&'r Failure>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl<'r> From<&'r message::Model> for MessageItem<'r> {
    fn from(row: &'r message::Model) -> Self {
        Self {
            id: row.id,
            role: match row.role {
                Role::User => "USER",
                Role::Assistant => "ASSISTANT",
            },
            status: status(row.status),
            content: &row.content,
            tool_calls: ToolCall::all_of(row),
            failure: row.failure.as_ref(),
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ToolCall<'r> {
    id: String,
    call_id: &'r str,
    name: &'r str,
    arguments: Arguments<'r>,
}

impl<'r> ToolCall<'r> {
    /// The call that is the part at `index` of `message`.
    pub(super) fn new(message: Uuid, index: usize, call: &'r message::ToolCall) -> Self {
        Self {
            id: message::ToolCall::id(message, index),
            call_id: &call.call_id,
            name: &call.name,
            arguments: Arguments::of(&call.arguments),
        }
    }

    fn all_of(row: &'r message::Model) -> Vec<Self> {
        let call = |(index, part): (usize, &'r Part)| match part {
            Part::ToolCall(call) => Some(Self::new(row.id, index, call)),
            Part::Text(_) | Part::Reasoning(_) => None,
        };
        row.parts.0.iter().enumerate().filter_map(call).collect()
    }
}

/// An object as the assistant wrote it, or what it wrote instead.
#[derive(Serialize)]
#[serde(untagged)]
enum Arguments<'r> {
    Object(&'r RawValue),
    Text(&'r str),
}

impl<'r> Arguments<'r> {
    fn of(text: &'r str) -> Self {
        // It is passed on as it is: taken apart, it might take many times its size.
        match serde_json::from_str::<&RawValue>(text) {
            Ok(value) if value.get().starts_with('{') => Self::Object(value),
            _ => Self::Text(text),
        }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Queued => "QUEUED",
        Status::Generating => "GENERATING",
        Status::Complete => "COMPLETE",
        Status::Stopped => "STOPPED",
        Status::Failed => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_where_they_parse() {
        for (text, written) in [
            (r#" {"a": [1.50, {}]} "#, r#"{"a": [1.50, {}]}"#),
            ("{}", "{}"),
            ("", r#""""#),
            ("[1]", r#""[1]""#),
            ("7", r#""7""#),
            (r#"{"a": 1"#, r#""{\"a\": 1""#),
            ("{} {}", r#""{} {}""#),
        ] {
            assert_eq!(serde_json::to_string(&Arguments::of(text)).unwrap(), written, "{text}");
        }
    }
}
