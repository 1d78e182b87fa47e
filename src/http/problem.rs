//! Answers that say what was wrong, in one shape: `{"errors": [{"message", "extensions": {"code"}}]}`.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::admission::LimitExceeded;
use crate::error::{Code, Error};

/// What is wrong now may be right the next time: caches would go on saying it.
const UNSTORED: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// An answer with one error.
pub(super) fn problem(code: Code, message: &str) -> Response {
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": code.as_str() } }] });
    (code.status(), UNSTORED, Json(body)).into_response()
}

/// As [`problem`], with the seconds after which the client may try again.
pub(super) fn retry(code: Code, message: &str, seconds: u64) -> Response {
    let extensions = json!({ "code": code.as_str(), "retryAfter": seconds });
    let body = json!({ "errors": [{ "message": message, "extensions": extensions }] });
    (code.status(), UNSTORED, [(RETRY_AFTER, HeaderValue::from(seconds))], Json(body)).into_response()
}

/// There is no resource at this URL.
pub(super) fn not_found() -> Response {
    problem(Code::NotFound, "There is no resource at this URL.")
}

/// The address does not know this method. The router adds `Allow`.
pub(super) fn method_not_allowed(method: &Method) -> Response {
    let message = format!("The method {method} is not supported at this URL.");
    problem(Code::MethodNotAllowed, &message)
}

impl IntoResponse for LimitExceeded {
    fn into_response(self) -> Response {
        retry(self.code, &self.message, self.retry_after())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        if let Some(seconds) = self.retry_after() {
            return retry(self.code(), &self.message(), seconds);
        }
        let mut response = problem(self.code(), &self.message());
        let status = response.status();
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
