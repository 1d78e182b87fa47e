//! What a reply has beside its text.

use async_graphql::{Enum, Object, SimpleObject};

use crate::entity::message;
use crate::graphql::shared::Decimal;

/// Why the assistant ended a reply.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::FinishReason")]
pub(crate) enum FinishReason {
    /// The assistant finished the reply.
    Stop,
    /// The reply reached the provider's limit of tokens: the text is incomplete.
    Length,
    /// The assistant waits for the results of its tool calls; see `FailureCode.TOOLS_UNSUPPORTED`.
    ToolCalls,
    /// The provider's content filter cut the text off.
    ContentFilter,
    /// The provider gave another reason.
    Other,
}

/// What a reply has used. A number of tokens is `null` if it is not known.
#[derive(SimpleObject)]
pub(crate) struct Usage {
    /// The number of tokens in the prompt.
    input_tokens: Option<u64>,
    /// The number of tokens that the assistant has written.
    output_tokens: Option<u64>,
    /// The number of tokens of the prompt that the provider took from its cache. `inputTokens` includes them.
    cached_input_tokens: Option<u64>,
    /// Whether the provider has not reported the tokens of the prompt or those written, as of a reply that was stopped: an
    /// estimate then stands in their place.
    estimated: bool,
    /// The cost, at the price at that time, in the server's currency. It is `null` if the price is not known, or if the
    /// provider reports it and has not done so, as of a reply that was stopped.
    cost: Option<Decimal>,
}

impl From<message::Usage> for Usage {
    fn from(usage: message::Usage) -> Self {
        let cost = usage.amount().map(Decimal);
        let message::Usage { input_tokens, output_tokens, cached_input_tokens, estimated, .. } = usage;
        Self { input_tokens, output_tokens, cached_input_tokens, estimated, cost }
    }
}

pub(crate) struct Failure<'m>(pub(crate) &'m message::Failure);

/// Why a reply has failed.
#[Object]
impl Failure<'_> {
    /// The code of the failure, for programs.
    async fn code(&self) -> FailureCode {
        self.0.code.into()
    }

    /// A description of the failure, for people.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether `retryReply` may succeed without any other change.
    async fn retryable(&self) -> bool {
        self.0.retryable
    }
}

/// The codes of a reply's failure.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::FailureCode")]
pub(super) enum FailureCode {
    /// The assistant could not be reached, is overloaded, or reported an internal error.
    AssistantUnavailable,
    /// The assistant did not answer, or stopped sending, for too long.
    AssistantTimeout,
    /// The assistant's provider does not accept more requests at the moment.
    AssistantRateLimited,
    /// The assistant's provider refused the request. The operator of the server must act.
    AssistantRejected,
    /// The conversation is longer than the assistant's context window.
    ContextTooLong,
    /// The provider's content filter removed the whole reply.
    ContentFiltered,
    /// The text ended before it was complete.
    Truncated,
    /// The assistant returned no text.
    Empty,
    /// The assistant waits for the results of tool calls, which the server does not execute. Its text and the calls are
    /// kept.
    ToolsUnsupported,
    /// The server that wrote the reply stopped, and no attempts were left.
    Interrupted,
}
