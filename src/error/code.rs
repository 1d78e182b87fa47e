//! The codes of errors.

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::http::StatusCode;

/// The kind of an error, for programs: `extensions.code`. Clients compare its text, so that no text may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    AnswerTooLarge,
    AssistantFailed,
    BadRequest,
    BadUserInput,
    Conflict,
    ConversationBusy,
    Forbidden,
    ParseFailed,
    ValidationFailed,
    IdempotencyMismatch,
    Internal,
    InvalidState,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    OperationNotFound,
    PayloadTooLarge,
    PersistedQueryNotFound,
    PersistedQueryOnly,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    Timeout,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    UpgradeRequired,
}

impl Code {
    /// The text that clients compare.
    pub(crate) const fn as_str(self) -> &'static str {
        self.text_and_status().0
    }

    /// The HTTP status of a request that fails as a whole.
    pub(crate) const fn status(self) -> StatusCode {
        self.text_and_status().1
    }

    const fn text_and_status(self) -> (&'static str, StatusCode) {
        match self {
            Self::AnswerTooLarge => ("ANSWER_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Self::AssistantFailed => ("ASSISTANT_FAILED", StatusCode::BAD_GATEWAY),
            Self::BadRequest => ("BAD_REQUEST", StatusCode::BAD_REQUEST),
            Self::BadUserInput => ("BAD_USER_INPUT", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Conflict => ("CONFLICT", StatusCode::CONFLICT),
            Self::ConversationBusy => ("CONVERSATION_BUSY", StatusCode::CONFLICT),
            Self::Forbidden => ("FORBIDDEN", StatusCode::FORBIDDEN),
            Self::ParseFailed => ("GRAPHQL_PARSE_FAILED", StatusCode::BAD_REQUEST),
            Self::ValidationFailed => ("GRAPHQL_VALIDATION_FAILED", StatusCode::BAD_REQUEST),
            Self::IdempotencyMismatch => ("IDEMPOTENCY_MISMATCH", StatusCode::CONFLICT),
            Self::Internal => ("INTERNAL_SERVER_ERROR", StatusCode::INTERNAL_SERVER_ERROR),
            Self::InvalidState => ("INVALID_STATE", StatusCode::CONFLICT),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED),
            Self::NotAcceptable => ("NOT_ACCEPTABLE", StatusCode::NOT_ACCEPTABLE),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Self::OperationNotFound => ("OPERATION_RESOLUTION_FAILURE", StatusCode::BAD_REQUEST),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Self::PersistedQueryNotFound => ("PERSISTED_QUERY_NOT_FOUND", StatusCode::BAD_REQUEST),
            Self::PersistedQueryOnly => ("PERSISTED_QUERY_ONLY", StatusCode::BAD_REQUEST),
            Self::QuotaExceeded => ("QUOTA_EXCEEDED", StatusCode::TOO_MANY_REQUESTS),
            Self::RateLimited => ("RATE_LIMITED", StatusCode::TOO_MANY_REQUESTS),
            Self::RequestTimeout => ("REQUEST_TIMEOUT", StatusCode::REQUEST_TIMEOUT),
            Self::Timeout => ("TIMEOUT", StatusCode::SERVICE_UNAVAILABLE),
            Self::Unauthenticated => ("UNAUTHENTICATED", StatusCode::UNAUTHORIZED),
            Self::Unavailable => ("UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::UpgradeRequired => ("UPGRADE_REQUIRED", StatusCode::UPGRADE_REQUIRED),
        }
    }

    /// The GraphQL error of a request that fails as a whole.
    pub(crate) fn error(self, message: impl Into<String>) -> ServerError {
        let mut error = ServerError::new(message, None);
        error.extensions = Some(self.extensions(None));
        error
    }

    /// The error of a request that is refused because of its argument or variable `field`.
    pub(crate) fn input_error(field: String, message: impl Into<String>) -> ServerError {
        let mut error = Self::BadUserInput.error(message);
        if let Some(extensions) = &mut error.extensions {
            extensions.set("field", field);
        }
        error
    }

    /// The extensions of a GraphQL error, with the seconds after which the client may try again.
    pub(super) fn extensions(self, retry_after: Option<u64>) -> ErrorExtensionValues {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", self.as_str());
        if let Some(seconds) = retry_after {
            extensions.set("retryAfter", seconds);
        }
        extensions
    }
}
