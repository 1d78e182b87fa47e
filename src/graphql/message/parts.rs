//! The parts of a message.

use async_graphql::{ID, Object, SimpleObject, Union};
use uuid::Uuid;

use crate::chat::Chat;
use crate::entity::message::{self, PartText};
use crate::error::Error;
use crate::graphql::shared::DateTime;

/// About how many bytes a part takes in an answer beside its text.
const PART_BYTES: usize = 512;

/// A part of a message. More kinds of parts may be added: ignore those that you do not know.
#[derive(Union)]
pub(super) enum MessagePart {
    Text(TextPart),
    Reasoning(ReasoningPart),
    ToolCall(ToolCall),
}

impl MessagePart {
    /// The parts of a row, counted against the answer's budget.
    pub(super) fn all_of(chat: &Chat, row: &message::Model) -> Result<Vec<Self>, Error> {
        let parts = row.parts_with_text();
        let texts = row.content.len() + row.reasoning.len() + row.parts.bytes();
        chat.take(texts + parts.len() * PART_BYTES)?;
        let part = |(index, part)| match part {
            PartText::Text(text) => Self::Text(TextPart { text: text.to_owned() }),
            PartText::Reasoning(text, reasoning) => Self::Reasoning(ReasoningPart {
                text: text.to_owned(),
                started_at: DateTime(reasoning.started_at),
                finished_at: reasoning.finished_at.map(DateTime),
            }),
            PartText::ToolCall(call) => Self::ToolCall(ToolCall::new(row.id, index, call.clone())),
        };
        Ok(parts.into_iter().enumerate().map(part).collect())
    }
}

/// A text that the user or the assistant has written.
#[derive(SimpleObject)]
pub(super) struct TextPart {
    /// The text, never empty.
    pub(super) text: String,
}

/// What the assistant has written for itself before its answer, or in between. It is never searched, and never part of a
/// later prompt. The server may be configured to leave it out.
#[derive(SimpleObject)]
pub(super) struct ReasoningPart {
    /// The reasoning, never empty.
    pub(super) text: String,
    /// When the assistant began it.
    pub(super) started_at: DateTime,
    /// When the assistant went on with something else, or the reply ended. It is `null` until then.
    pub(super) finished_at: Option<DateTime>,
}

pub(in crate::graphql) struct ToolCall {
    pub(super) id: String,
    pub(super) call: message::ToolCall,
}

impl ToolCall {
    /// The call that is the part at `index` of `message`.
    pub(in crate::graphql) fn new(message: Uuid, index: usize, call: message::ToolCall) -> Self {
        Self { id: message::ToolCall::id(message, index), call }
    }
}

/// A tool call that the assistant has requested, or that its provider has carried out. The server does not execute it.
#[Object]
impl ToolCall {
    /// The call's id, unique among all messages.
    async fn id(&self) -> ID {
        self.id.as_str().into()
    }

    /// The call's id at the provider, which other messages may use as well.
    async fn call_id(&self) -> &str {
        &self.call.call_id
    }

    /// The name of the tool.
    async fn name(&self) -> &str {
        &self.call.name
    }

    /// The arguments as JSON text, exactly as the assistant wrote them. They may not be valid JSON.
    async fn arguments(&self) -> &str {
        &self.call.arguments
    }
}
