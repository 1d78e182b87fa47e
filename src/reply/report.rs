//! What an attempt makes of what the provider sends.

use super::draft::{Draft, Kind};
use super::ending::Ending;
use super::live::Live;
use crate::assistant::{Delta, Profile};
use crate::database::now;
use crate::entity::message::{Failure, FailureCode, FinishReason, Status, Usage};
use crate::usage::{Ledger, Tokens};

/// What the provider has reported beside the parts.
pub(super) struct Report<'a> {
    ledger: &'a Ledger,
    assistant: &'a str,
    /// How many tokens the prompt has by estimate; `None` as long as nothing was asked of the provider.
    pub(super) prompt_tokens: Option<u32>,
    finish_reason: Option<FinishReason>,
    pub(super) model: Option<String>,
    usage: Option<Usage>,
}

impl<'a> Report<'a> {
    pub(super) fn of(ledger: &'a Ledger, assistant: &'a str) -> Self {
        Self { ledger, assistant, prompt_tokens: None, finish_reason: None, model: None, usage: None }
    }

    /// Takes a delta; parts go to `live`.
    pub(super) fn take(&mut self, delta: Delta, live: &Live, profile: &Profile) {
        match delta {
            Delta::Text(text) => live.push(Kind::Text, &text, now()),
            Delta::Reasoning(_) if profile.no_reasoning => {}
            Delta::Reasoning(text) => live.push(Kind::Reasoning, &text, now()),
            Delta::ToolCall(call) => live.push_call(call, now()),
            Delta::Model(model) => self.model = Some(model),
            Delta::Usage(usage) => self.usage = Some(usage),
            Delta::Finish(reason) => self.finish_reason = Some(reason),
        }
    }

    /// The ending of an attempt whose stream has ended by itself.
    pub(super) fn complete(&mut self, live: &Live) -> Ending {
        match self.finish_reason {
            Some(FinishReason::ToolCalls) => self.end(live, Status::Failed, Some(tools_unsupported())),
            _ => self.end(live, Status::Complete, None),
        }
    }

    pub(super) fn fail(&mut self, live: &Live, failure: Failure) -> Ending {
        self.end(live, Status::Failed, Some(failure))
    }

    pub(super) fn end(&mut self, live: &Live, status: Status, failure: Option<Failure>) -> Ending {
        let mut draft = live.draft();
        draft.finish(now());
        Ending {
            status,
            usage: self.used(&draft, failure.as_ref()),
            draft,
            finish_reason: self.finish_reason,
            failure,
            model: self.model.take(),
        }
    }

    /// What the attempt has used; `None` if the provider was not asked, or has refused at once.
    fn used(&self, draft: &Draft, failure: Option<&Failure>) -> Option<Usage> {
        let prompt = self.prompt_tokens?;
        let is_refused = failure.is_some_and(|failure| is_refusal(failure.code));
        if is_refused && self.usage.is_none() && draft.bytes() == 0 {
            return None;
        }
        let estimate = || Tokens { input: prompt.into(), cached_input: 0, output: draft.tokens().into() };
        Some(self.ledger.usage(self.assistant, self.usage, estimate))
    }
}

/// Whether a provider that fails in this way before the first word has not begun to write.
fn is_refusal(code: FailureCode) -> bool {
    match code {
        FailureCode::AssistantUnavailable
        | FailureCode::AssistantRateLimited
        | FailureCode::AssistantRejected
        | FailureCode::ContextTooLong => true,
        FailureCode::AssistantTimeout
        | FailureCode::ContentFiltered
        | FailureCode::Truncated
        | FailureCode::Empty
        | FailureCode::ToolsUnsupported
        | FailureCode::Interrupted => false,
    }
}

/// The failure of an attempt that ended with tool calls, whose results the assistant waits for.
fn tools_unsupported() -> Failure {
    Failure {
        code: FailureCode::ToolsUnsupported,
        message: "The assistant wants to call tools, which this server does not do.".to_owned(),
        retryable: false,
    }
}
