//! Reads a provider's chunks leniently: what is missing, null, empty or of an unknown kind is passed over.

use serde_json::Value;

use super::tool_calls::Fragment;
use crate::assistant::Usage;

/// What one chunk says, or a whole completion.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) model: Option<String>,
    pub(super) usage: Option<Usage>,
    /// The raw text; may still hold inline reasoning.
    pub(super) text: String,
    /// There is reasoning in a field of its own.
    pub(super) reasoning: bool,
    pub(super) fragments: Vec<Fragment>,
    /// Lower case, not empty.
    pub(super) finish: Option<String>,
    /// There is a choice to be read, be it empty.
    pub(super) choice: bool,
}

impl Chunk {
    pub(super) fn read(value: &Value) -> Self {
        let mut chunk =
            Self { model: string(&value["model"]), usage: usage(&value["usage"]), ..Self::default() };
        let choices = value["choices"].as_array().map_or(&[][..], Vec::as_slice);
        // One completion is asked for; were there more, they would be other versions of the same text.
        let Some(choice) = choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0) else {
            return chunk;
        };
        chunk.choice = true;
        chunk.finish = string(&choice["finish_reason"]).map(|reason| reason.to_ascii_lowercase());
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        chunk.content(&delta["content"]);
        chunk.content(&delta["refusal"]);
        chunk.reasoning |=
            ["reasoning_content", "reasoning"].iter().any(|field| string(&delta[field]).is_some());
        let calls = delta["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        chunk.fragments.extend(calls.iter().map(|call| {
            let index = call["index"].as_u64();
            Fragment { index, id: string(&call["id"]), ..function(&call["function"]) }
        }));
        if delta["function_call"].is_object() {
            chunk.fragments.push(Fragment { index: Some(0), ..function(&delta["function_call"]) });
        }
        chunk
    }

    /// Whether the chunk holds a token, of whatever sort.
    pub(super) fn has_token(&self) -> bool {
        !self.text.is_empty() || self.reasoning || !self.fragments.is_empty()
    }

    /// Takes text, or a list of parts of which some are text and some reasoning.
    fn content(&mut self, content: &Value) {
        match content {
            Value::String(text) => self.text.push_str(text),
            Value::Array(parts) => {
                for part in parts {
                    if part["type"] == "text" {
                        self.text.push_str(part["text"].as_str().unwrap_or_default());
                    } else {
                        self.reasoning |= part["type"] == "thinking";
                    }
                }
            }
            _ => {}
        }
    }
}

/// A string that says something.
fn string(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The part of a tool call that names the function, without index and id.
fn function(function: &Value) -> Fragment {
    let arguments = match &function["arguments"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // Some send the arguments as an object instead of as its text.
        value => value.to_string(),
    };
    Fragment { name: string(&function["name"]), arguments, ..Fragment::default() }
}

/// The tokens used, if any number is given.
fn usage(usage: &Value) -> Option<Usage> {
    let cached = &usage["prompt_tokens_details"]["cached_tokens"];
    let used = Usage {
        input_tokens: usage["prompt_tokens"].as_u64(),
        output_tokens: usage["completion_tokens"].as_u64(),
        // The second name is DeepSeek's.
        cached_input_tokens: cached.as_u64().or_else(|| usage["prompt_cache_hit_tokens"].as_u64()),
    };
    (used != Usage::default()).then_some(used)
}
