//! Replies: what a message of the assistant's has beside its text, and what can be done with one.

mod compiled;
mod feedback;
mod mutations;
mod outcome;
mod progress;
mod requests;

pub(super) use self::compiled::{FAILURE, FEEDBACK, USAGE};
pub(super) use self::feedback::{Feedback, FeedbackMutations};
pub(super) use self::mutations::{OnBusy, ReplyMutations, await_reply};
pub(super) use self::outcome::{Failure, FinishReason, Usage};
pub(super) use self::progress::{ReplyEvent, ReplySubscriptions};
pub(super) use self::requests::ReplyRequestSubscriptions;
