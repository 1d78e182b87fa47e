//! Answers that say what was wrong, in one shape: `{"errors": [{"message", "extensions": {"code"}}]}`.

use axum::Json;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::admission::LimitExceeded;
use crate::error::{Code, Error};

/// What is wrong now may be right the next time: caches would go on saying it.
const UNSTORED: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// What such an answer says, for whoever is to say it otherwise.
#[derive(Clone)]
struct Problem {
    message: String,
    errors: Value,
}

/// An answer with one error.
pub(super) fn problem(code: Code, message: &str) -> Response {
    render(code, message, errors(code, message, None))
}

/// As [`problem`], with the seconds after which the client may try again.
pub(super) fn retry(code: Code, message: &str, seconds: u64) -> Response {
    ([(RETRY_AFTER, HeaderValue::from(seconds))], render(code, message, errors(code, message, Some(seconds))))
        .into_response()
}

/// The errors of such an answer.
pub(super) fn errors(code: Code, message: &str, retry_after: Option<u64>) -> Value {
    let mut extensions = json!({ "code": code.as_str() });
    if let Some(seconds) = retry_after {
        extensions["retryAfter"] = seconds.into();
    }
    json!([{ "message": message, "extensions": extensions }])
}

/// The errors of an answer that refuses a request with `error`.
pub(super) fn errors_of(error: &Error) -> Value {
    let mut errors = errors(error.code(), &error.message(), error.retry_after());
    for (name, value) in error.details() {
        errors[0]["extensions"][name] = value;
    }
    errors
}

fn render(code: Code, message: &str, errors: Value) -> Response {
    let problem = Problem { message: message.to_owned(), errors };
    let mut response = (code.status(), UNSTORED, Json(json!({ "errors": &problem.errors }))).into_response();
    response.extensions_mut().insert(problem);
    response
}

/// `response`, which says in `detail` too what is wrong, if anything is: many clients of REST look for it there.
pub(super) fn with_detail(mut response: Response) -> Response {
    if let Some(Problem { message, errors }) = response.extensions_mut().remove() {
        *response.body_mut() = Body::from(json!({ "detail": message, "errors": errors }).to_string());
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
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
        let mut response = render(self.code(), &self.message(), errors_of(&self));
        let status = response.status();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
