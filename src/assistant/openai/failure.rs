//! A try that failed.

use std::time::Duration;

use crate::assistant::{Failure, FailureCode};

/// A failed try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) failure: Failure,
    pub(super) retry: Retry,
    /// What the provider said, for the log of a developer.
    pub(super) said: Option<String>,
}

/// Whether another try makes sense within the same attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// After the pause that the provider asks for, if it does.
    After(Option<Duration>),
}

impl Fault {
    pub(super) fn new(code: FailureCode, retryable: bool, message: impl Into<String>) -> Self {
        Self {
            failure: Failure { code, message: message.into(), retryable },
            retry: Retry::Never,
            said: None,
        }
    }

    pub(super) fn unavailable(message: &str) -> Self {
        Self::new(FailureCode::AssistantUnavailable, true, message).again()
    }

    /// Lets the provider be asked again, unless something has been shown.
    pub(super) fn again(self) -> Self {
        Self { retry: Retry::After(None), ..self }
    }
}
