//! The shape of answers, the same on every transport.

use async_graphql::{Response as Answer, ServerError, Value as Data};
use async_graphql_axum::GraphQLResponse;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::negotiation::MediaType;
use crate::error::{Code, Error};
use crate::http::problem::problem;

/// How many characters of a message are sent: the library quotes what it was sent.
const MESSAGE_CHARS: usize = 300;

/// An answer as the specification shapes it.
#[derive(Serialize)]
pub(super) struct ResponseShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Data>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Value>,
}

impl<'a> ResponseShape<'a> {
    /// The shape of `answer`, with at most `errors` errors.
    pub(super) fn new(answer: &'a Answer, errors: usize) -> Self {
        let refused = is_refusal(answer);
        let omitted = answer.errors.len().saturating_sub(errors);
        Self {
            data: (!refused).then_some(&answer.data),
            errors: answer.errors.iter().take(errors).map(|error| shape_error(error, refused)).collect(),
            extensions: (omitted > 0).then(|| json!({ "omittedErrors": omitted })),
        }
    }

    /// Whether nothing of the request was run.
    pub(super) fn is_refusal(&self) -> bool {
        self.data.is_none()
    }
}

/// Renders `answer` as `media_type`.
pub(super) fn render(media_type: MediaType, answer: Answer, errors: usize) -> Response {
    if answer.is_ok() {
        return label(media_type, GraphQLResponse::from(answer).into_response());
    }
    let shape = ResponseShape::new(&answer, errors);
    let Ok(body) = serde_json::to_vec(&shape) else {
        return problem(Code::Internal, Error::INTERNAL);
    };
    let status = match (shape.is_refusal(), media_type) {
        (true, MediaType::GraphqlResponse) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    label(media_type, (status, Body::from(body)).into_response())
}

/// Says what `response` is, and that it is nobody else's.
fn label(media_type: MediaType, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type.header()));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether the request was refused before anything of it was run. Errors of fields have a path.
pub(super) fn is_refusal(answer: &Answer) -> bool {
    !answer.errors.is_empty() && answer.errors.iter().all(|error| error.path.is_empty())
}

fn shape_error(error: &ServerError, refused: bool) -> Value {
    let mut shape = json!({ "message": shorten(&error.message) });
    if !error.locations.is_empty() {
        shape["locations"] =
            error.locations.iter().map(|at| json!({ "line": at.line, "column": at.column })).collect();
    }
    if !error.path.is_empty() {
        shape["path"] = serde_json::to_value(&error.path).unwrap_or_default();
    }
    let extensions = error.extensions.as_ref().and_then(|extensions| serde_json::to_value(extensions).ok());
    let mut extensions = extensions.unwrap_or_else(|| json!({}));
    if extensions.get("code").is_none() {
        // What the library says by itself: the document breaks a rule, or an argument is no value of its type.
        let code = if refused { Code::ValidationFailed } else { Code::BadUserInput };
        extensions["code"] = code.as_str().into();
    }
    shape["extensions"] = extensions;
    shape
}

fn shorten(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}
