//! The parts of a reply, as its provider, its readers and its row have them.

use causerie::entity::message::{self, PartText};
use serde_json::Value;

pub const TEXT: &str = "TextPart";
pub const REASONING: &str = "ReasoningPart";
pub const CALL: &str = "ToolCall";

/// Kind and text of each part; of a tool call its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(Vec<(String, String)>);

impl Parts {
    /// What a message's field `parts` says.
    pub fn of(parts: &Value) -> Self {
        let part = |part: &Value| {
            let kind = part["kind"].as_str().unwrap_or_default();
            let text = part["text"].as_str().map_or_else(|| name_of(part), str::to_owned);
            (kind.to_owned(), text)
        };
        Self(parts.as_array().into_iter().flatten().map(part).collect())
    }

    /// What a row has, its tool calls named by `name`.
    pub fn of_row(row: &message::Model, name: impl Fn(usize, &message::ToolCall) -> String) -> Self {
        let part = |(index, part)| match part {
            PartText::Text(text) => (TEXT.to_owned(), text.to_owned()),
            PartText::Reasoning(text, _) => (REASONING.to_owned(), text.to_owned()),
            PartText::ToolCall(call) => (CALL.to_owned(), name(index, call)),
        };
        Self(row.parts_with_text().into_iter().enumerate().map(part).collect())
    }

    /// Appends to the last part if it is of the same kind, else begins a new one. Each tool call is a part.
    pub fn push(&mut self, kind: &str, text: &str) {
        match self.0.last_mut() {
            Some((last, so_far)) if last == kind && kind != CALL => *so_far += text,
            _ => self.0.push((kind.to_owned(), text.to_owned())),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// The texts of the parts of a kind.
    pub fn texts(&self, kind: &str) -> Vec<&str> {
        let of_kind = self.0.iter().filter(|(known, _)| known == kind);
        of_kind.map(|(_, text)| text.as_str()).collect()
    }

    /// Whether they are what `whole` begins with. Only the last one may be cut off.
    pub fn is_start_of(&self, whole: &Self) -> bool {
        let Some(((kind, text), before)) = self.0.split_last() else { return true };
        whole.0.starts_with(before)
            && whole.0.get(before.len()).is_some_and(|part| part.0 == *kind && part.1.starts_with(text))
    }
}

/// The name of a tool call: its id, and the provider's.
pub fn name_of(call: &Value) -> String {
    let text = |field: &str| call[field].as_str().unwrap_or_default();
    format!("{} {}", text("id"), text("callId"))
}
