//! Answers that say what was wrong, in one shape: `{"errors": [{"message", "extensions": {"code"}}]}`.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::admission::LimitExceeded;
use crate::auth::Rejection;
use crate::error::Error;

/// What is wrong now may be right the next time: caches would go on saying it.
const UNSTORED: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// An answer with `status` and one error.
pub(super) fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": code } }] });
    (status, UNSTORED, Json(body)).into_response()
}

/// As [`problem`], with the seconds after which the client may try again.
pub(super) fn retry(status: StatusCode, code: &str, message: &str, seconds: u64) -> Response {
    let extensions = json!({ "code": code, "retryAfter": seconds });
    let body = json!({ "errors": [{ "message": message, "extensions": extensions }] });
    (status, UNSTORED, [(RETRY_AFTER, HeaderValue::from(seconds))], Json(body)).into_response()
}

/// There is nothing at this address.
pub(super) fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this address.")
}

/// The address does not know this method. The router adds `Allow`.
pub(super) fn method_not_allowed(method: &Method) -> Response {
    let message = format!("{method} is not possible at this address.");
    problem(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", &message)
}

impl IntoResponse for LimitExceeded {
    fn into_response(self) -> Response {
        let is_clients = self.code == "RATE_LIMITED";
        let status = if is_clients { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
        retry(status, self.code, &self.message, self.retry_after())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        if let Some(seconds) = self.retry_after() {
            return retry(StatusCode::TOO_MANY_REQUESTS, self.code(), &self.message(), seconds);
        }
        let status = match &self {
            Self::Rejected(Rejection::KeysUnavailable)
            | Self::Unavailable(_)
            | Self::Unreachable(_)
            | Self::Conflict(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthenticated | Self::Rejected(_) => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadUserInput(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::IdempotencyMismatch | Self::ConversationBusy => StatusCode::CONFLICT,
            Self::TooManyQueued(_) | Self::TooMuchInHand => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyMessages | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = problem(status, self.code(), &self.message());
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
