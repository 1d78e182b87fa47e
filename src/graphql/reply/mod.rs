//! Replies: what a message of the assistant's has beside its text, and what can be done with one.

mod compiled;
mod event_plan;
mod feedback;
mod mutations;
mod outcome;
mod progress;
mod requests;

pub(super) use self::compiled::{FAILURE, FEEDBACK, USAGE};
pub(super) use self::event_plan::ReplyEventPlan;
pub(super) use self::feedback::{Feedback, FeedbackMutations};
pub(super) use self::mutations::{
    OnBusy, RegenerateReplyInput, ReplyMutations, RetryReplyInput, await_reply,
};
pub(super) use self::outcome::{Failure, FinishReason, Usage};
pub(super) use self::progress::{ReplyEvent, ReplySubscriptions, follow};
pub(super) use self::requests::{ReplyRequestSubscriptions, request};
