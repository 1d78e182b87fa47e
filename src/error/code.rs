//! The codes of errors.

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::http::StatusCode;

/// The kind of an error, for programs: `extensions.code`. Clients compare its text, so that no text may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The texts of the response exceed their limit.
    AnswerTooLarge,
    /// The assistant failed to reply to a REST request.
    AssistantFailed,
    /// The request is malformed.
    BadRequest,
    /// An argument is outside its documented limits.
    BadUserInput,
    /// A reply in the conversation has not ended, or many of its messages are being moved or deleted.
    ConversationBusy,
    /// The REST address names another user than the token.
    Forbidden,
    /// The document is not GraphQL.
    ParseFailed,
    /// The document is not valid for the schema, or too large.
    ValidationFailed,
    /// The idempotency key was used with other arguments.
    IdempotencyMismatch,
    /// The server has a fault.
    Internal,
    /// The address does not support the method.
    MethodNotAllowed,
    /// The client accepts no format that the server can send.
    NotAcceptable,
    /// What an argument names does not exist, or belongs to another user.
    NotFound,
    /// The document does not have the operation.
    OperationNotFound,
    /// The body is too large.
    PayloadTooLarge,
    /// The server does not know the document with this hash.
    PersistedQueryNotFound,
    /// The server executes only trusted documents.
    PersistedQueryOnly,
    /// The client must wait before it sends more.
    RateLimited,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The response took too long.
    Timeout,
    /// The token is missing or not valid.
    Unauthenticated,
    /// The server cannot serve the request at the moment.
    Unavailable,
    /// The body has another content type than the server reads.
    UnsupportedMediaType,
    /// The address needs a newer version of a protocol.
    UpgradeRequired,
}

impl Code {
    /// The text that clients compare.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnswerTooLarge => "ANSWER_TOO_LARGE",
            Self::AssistantFailed => "ASSISTANT_FAILED",
            Self::BadRequest => "BAD_REQUEST",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::ConversationBusy => "CONVERSATION_BUSY",
            Self::Forbidden => "FORBIDDEN",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
            Self::Internal => "INTERNAL_SERVER_ERROR",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::NotFound => "NOT_FOUND",
            Self::OperationNotFound => "OPERATION_RESOLUTION_FAILURE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedQueryOnly => "PERSISTED_QUERY_ONLY",
            Self::RateLimited => "RATE_LIMITED",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::Timeout => "TIMEOUT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Unavailable => "UNAVAILABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::UpgradeRequired => "UPGRADE_REQUIRED",
        }
    }

    /// The HTTP status of a request that fails as a whole.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest
            | Self::ParseFailed
            | Self::ValidationFailed
            | Self::OperationNotFound
            | Self::PersistedQueryNotFound
            | Self::PersistedQueryOnly => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::ConversationBusy | Self::IdempotencyMismatch => StatusCode::CONFLICT,
            Self::AnswerTooLarge | Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BadUserInput => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::AssistantFailed => StatusCode::BAD_GATEWAY,
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The GraphQL error of a request that fails as a whole.
    #[must_use]
    pub fn error(self, message: impl Into<String>) -> ServerError {
        let mut error = ServerError::new(message, None);
        error.extensions = Some(self.extensions(None));
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
