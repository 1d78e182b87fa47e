//! Who writes replies: the [`Assistant`] trait and its implementations, and the [`Catalog`] of those that a server offers.

mod catalog;
mod echo;
pub mod estimate;
mod file;
pub mod openai;
mod options;
mod profile;
mod range;

use std::fmt;

pub use catalog::{Catalog, TitleAssistant};
pub use echo::Echo;
pub use file::Common;
pub use openai::OpenAi;
pub use options::Options;
pub use profile::{DEFAULT_ID, Profile, Settable};
pub use range::Range;

use futures_util::stream::BoxStream;

pub use crate::entity::message::{Failure, FailureCode, FinishReason, Parameters, ToolCall, Usage};

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
    /// How it is to write. What is not set is not sent.
    pub parameters: Parameters,
}

impl Prompt {
    /// How many tokens it has by estimate.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        self.turns.iter().map(|turn| estimate::turn(&turn.content)).fold(0, u32::saturating_add)
    }
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
    /// The instructions: the operator's, and the user's.
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
    /// More reasoning, which is no part of the answer; never empty.
    Reasoning(String),
    /// A whole tool call that the assistant asks for, or has carried out itself. All three may take turns, up to 1000 times.
    ToolCall(ToolCall),
    /// The model's name as the provider reports it, at most 255 characters; at most once, and not before the
    /// attempt has something to show.
    Model(String),
    /// Tokens used by the whole attempt; the last one counts.
    Usage(Usage),
    /// Why the assistant stopped writing; at most once, and last of all. [`FinishReason::ToolCalls`] if it waits for the
    /// results of its tool calls.
    Finish(FinishReason),
}
