//! Why a request is not run.

use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, ServerError};

use super::operation::Operation;
use crate::error::Code;

/// A request that is not run.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The operation that it asks for, where that is known.
    pub operation: Option<Operation>,
    /// Why it is not run.
    pub reason: Refusal,
}

impl Refused {
    /// Whether it reads, writes or subscribes; it counts as reading where that is not known.
    #[must_use]
    pub fn kind(&self) -> OperationType {
        self.operation.as_ref().map_or(OperationType::Query, |operation| operation.kind)
    }
}

/// Why a request is not run.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The request itself is wrong.
    Invalid(Vec<ServerError>),
    /// It would change something, and came in a way that must not.
    ReadOnly,
    /// It is too much for now.
    Limit(LimitExceeded),
}

impl From<ServerError> for Refusal {
    fn from(error: ServerError) -> Self {
        Self::Invalid(vec![error])
    }
}

impl From<LimitExceeded> for Refusal {
    fn from(exceeded: LimitExceeded) -> Self {
        Self::Limit(exceeded)
    }
}

impl Refusal {
    /// The errors that a GraphQL response has for it.
    #[must_use]
    pub fn into_errors(self) -> Vec<ServerError> {
        match self {
            Self::Invalid(errors) => errors,
            Self::ReadOnly => vec![Code::MethodNotAllowed.error(READ_ONLY)],
            Self::Limit(exceeded) => vec![exceeded.error()],
        }
    }
}

/// What a client is told whose operation would change something and came by GET.
pub const READ_ONLY: &str = "GET is for operations that change nothing; send this by POST.";

/// More than one may have, or come for, at this time.
#[derive(Clone, Debug)]
pub struct LimitExceeded {
    /// The code in `extensions.code`.
    pub(crate) code: Code,
    /// The sentence that the client is shown.
    pub message: String,
    retry_after: Duration,
}

impl LimitExceeded {
    /// Somebody has, or asks for, more than one may.
    pub(crate) fn rate_limited(message: String, retry_after: Duration) -> Self {
        Self { code: Code::RateLimited, message, retry_after }
    }

    /// The server has as much to do as it can, or something took too long, as `code` says.
    pub(super) fn unavailable(code: Code, message: String) -> Self {
        Self { code, message, retry_after: Duration::from_secs(1) }
    }

    /// After how many seconds the client may try again, at least one.
    #[must_use]
    pub fn retry_after(&self) -> u64 {
        self.retry_after.as_millis().div_ceil(1000).clamp(1, 3600) as u64
    }

    /// The error of a GraphQL response.
    #[must_use]
    pub fn error(&self) -> ServerError {
        let mut error = self.code.error(&self.message);
        if let Some(extensions) = &mut error.extensions {
            extensions.set("retryAfter", self.retry_after());
        }
        error
    }
}

/// An error at `position`, with `code`.
pub(super) fn error(code: Code, message: impl Into<String>, position: Option<Pos>) -> ServerError {
    ServerError { locations: position.into_iter().collect(), ..code.error(message) }
}

/// The document breaks a rule of the language.
pub(super) fn invalid(message: impl Into<String>, position: Option<Pos>) -> ServerError {
    error(Code::ValidationFailed, message, position)
}

/// The document is above one of its bounds.
pub(super) fn too_large(code: Code, limit: &str, maximum: u64) -> ServerError {
    let message = format!("The query is too large: its {limit} must be at most {maximum}.");
    let mut error = code.error(message);
    if let Some(extensions) = &mut error.extensions {
        extensions.set("limit", limit);
        extensions.set("maximum", maximum);
    }
    error
}
