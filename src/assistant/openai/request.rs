//! The body of a request: as little as possible, since strict providers refuse fields that they do not know.

use serde::Serialize;

use super::options::{MaxTokensField, Options, SystemRole};
use crate::assistant::{Prompt, Speaker};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    /// Always: only a stream that is closed stops the provider's work.
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The body that asks for a reply to `prompt`.
pub(super) fn body(options: &Options, prompt: &Prompt) -> serde_json::Result<Vec<u8>> {
    let role = |speaker| match (speaker, options.system_role) {
        (Speaker::System, SystemRole::System) => "system",
        (Speaker::System, SystemRole::Developer) => "developer",
        (Speaker::User, _) => "user",
        (Speaker::Assistant, _) => "assistant",
    };
    let parameters = &prompt.parameters;
    let chosen = parameters.max_tokens.and_then(|number| u32::try_from(number).ok());
    let max_tokens = chosen.or(options.max_tokens);
    let limit = |field| max_tokens.filter(|_| options.max_tokens_field == field);
    serde_json::to_vec(&Body {
        model: &options.model,
        messages: prompt
            .turns
            .iter()
            .map(|turn| Message { role: role(turn.speaker), content: &turn.content })
            .collect(),
        stream: true,
        stream_options: (!options.no_usage).then_some(StreamOptions { include_usage: true }),
        max_tokens: limit(MaxTokensField::MaxTokens),
        max_completion_tokens: limit(MaxTokensField::MaxCompletionTokens),
        temperature: parameters.temperature,
        top_p: parameters.top_p,
        reasoning_effort: parameters.reasoning_effort.as_deref(),
    })
}
