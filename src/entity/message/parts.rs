//! The parts of a message, in order.

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::DateTimeUtc;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Model;

/// The layout of a message, stored as JSON. The texts themselves are in `content` and `reasoning`, one behind the other.
///
/// Without any part, all of `content` is one part of text. Two parts of text, or of reasoning, do not follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Parts(pub Vec<Part>);

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// So many bytes of `content`.
    Text(usize),
    /// A part of `reasoning`.
    Reasoning(Reasoning),
    /// A tool call.
    ToolCall(ToolCall),
}

/// A part of the reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// How many bytes of `reasoning` it has.
    pub bytes: usize,
    /// When its first word came.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub started_at: DateTimeUtc,
    /// When something else came, or the reply ended.
    #[serde(with = "chrono::serde::ts_milliseconds_option")]
    pub finished_at: Option<DateTimeUtc>,
}

/// A tool call that the assistant asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id of the call, or one made here if it sent none.
    pub call_id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text, exactly as the assistant wrote them: not always valid JSON.
    pub arguments: String,
}

/// A part with its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartText<'m> {
    /// A part of the text.
    Text(&'m str),
    /// A part of the reasoning, and what is known of it.
    Reasoning(&'m str, Reasoning),
    /// A tool call.
    ToolCall(&'m ToolCall),
}

impl ToolCall {
    /// The id of the part at `index` of `message`, which is a tool call: unlike the provider's, no other call has it.
    #[must_use]
    pub fn id(message: Uuid, index: usize) -> String {
        format!("{message}:{index}")
    }

    /// How many bytes its texts have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.call_id.len() + self.name.len() + self.arguments.len()
    }
}

impl Parts {
    /// The tool calls, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.0.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            Part::Text(_) | Part::Reasoning(_) => None,
        })
    }

    /// About how many bytes it has in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len() * size_of::<Part>() + self.tool_calls().map(ToolCall::bytes).sum::<usize>()
    }

    /// Notes that the last part is whole.
    pub fn finish(&mut self, now: DateTimeUtc) {
        if let Some(Part::Reasoning(reasoning)) = self.0.last_mut() {
            reasoning.finished_at.get_or_insert(now);
        }
    }
}

impl Model {
    /// The parts, in order. An empty message has none.
    #[must_use]
    pub fn parts_with_text(&self) -> Vec<PartText<'_>> {
        let (mut content, mut reasoning) = (self.content.as_str(), self.reasoning.as_str());
        if self.parts.0.is_empty() && !content.is_empty() {
            return vec![PartText::Text(content)];
        }
        let parts = self.parts.0.iter().map(|part| match part {
            Part::Text(bytes) => PartText::Text(take(&mut content, *bytes)),
            Part::Reasoning(part) => PartText::Reasoning(take(&mut reasoning, part.bytes), *part),
            Part::ToolCall(call) => PartText::ToolCall(call),
        });
        parts.collect()
    }

    /// About how many bytes its texts and parts take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.content.len() + self.reasoning.len() + self.parts.bytes()
    }
}

/// Takes the next `bytes` of `text`.
fn take<'t>(text: &mut &'t str, bytes: usize) -> &'t str {
    let (taken, rest) = text.split_at_checked(bytes).unwrap_or((*text, ""));
    *text = rest;
    taken
}
