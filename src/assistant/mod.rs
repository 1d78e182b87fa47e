//! Who writes replies: the [`Assistant`] trait and its implementations.

mod echo;
pub mod estimate;
pub mod openai;
mod options;

use std::fmt;

pub use echo::Echo;
pub use openai::OpenAi;
pub use options::Options;

use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

/// Something that can write a reply.
///
/// The stream is one attempt. It yields [`Delta`]s and ends after the last one; an `Err` is always its
/// last item. Dropping the stream stops the work, at the provider too where the provider allows it.
pub trait Assistant: fmt::Debug + Send + Sync + 'static {
    /// Starts one attempt at a reply to `prompt`.
    fn reply(&self, prompt: Prompt) -> BoxStream<'static, Result<Delta, Failure>>;
}

/// What the assistant is shown: turns in order, the last one being the user's message to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The turns, oldest first; a system prompt, if any, comes first.
    pub turns: Vec<Turn>,
}

/// One turn of a [`Prompt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said; never empty.
    pub content: String,
}

/// Who speaks in a [`Turn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The operator's instructions.
    System,
    /// The user.
    User,
    /// The assistant, earlier in the conversation.
    Assistant,
}

/// One step of a reply. No string in it holds NUL, which PostgreSQL cannot store.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// More text; never empty.
    Text(String),
    /// A whole tool call that the assistant asks for; after all text, and only if the reply ended well.
    ToolCall(ToolCall),
    /// The model's name as the provider reports it, at most 255 characters; at most once, and not before the
    /// attempt has something to show.
    Model(String),
    /// Tokens used by the whole attempt; the last one counts.
    Usage(Usage),
    /// Why the assistant stopped writing; at most once, after all text.
    Finish(FinishReason),
}

/// A tool call that the assistant asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id of the call, or one made here if it sent none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text, exactly as the assistant wrote them: not always valid JSON.
    pub arguments: String,
}

/// Tokens used by one attempt, as reported by the provider. `None` is unknown, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// Tokens of the prompt that the provider took from its cache.
    pub cached_input_tokens: Option<u64>,
}

/// Why a reply ended, as the provider tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FinishReason {
    /// The assistant had said all it wanted.
    Stop,
    /// The provider's limit of tokens was reached: the text ends early.
    Length,
    /// The assistant waits for the results of tool calls.
    ToolCalls,
    /// The provider's content filter ended the text.
    ContentFilter,
    /// A reason that is not in this list.
    Other,
}

/// Why an attempt failed. It is stored with the reply and shown to its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of failure, for programs.
    pub code: FailureCode,
    /// What happened, for people: one sentence without keys, addresses or the provider's raw body.
    pub message: String,
    /// Whether another attempt may succeed without a change of anything.
    pub retryable: bool,
}

/// The kinds of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCode {
    /// The assistant could not be reached, or answered that it is overloaded or broken.
    AssistantUnavailable,
    /// The assistant did not answer, or fell silent, for too long.
    AssistantTimeout,
    /// The assistant refuses more requests for now.
    AssistantRateLimited,
    /// The assistant refused the request: a wrong key, an unknown model, no credit left. The operator must act.
    AssistantRejected,
    /// The conversation is longer than the assistant can read.
    ContextTooLong,
    /// The provider's content filter let nothing through.
    ContentFiltered,
    /// The text broke off before its end.
    Truncated,
    /// The assistant ended without a word.
    Empty,
    /// The server that wrote the reply died, and no attempts were left.
    Interrupted,
}
