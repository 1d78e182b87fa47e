//! Writing a GraphQL response into an HTTP response.

use async_graphql::{Response as Answer, ServerError, Value as Data};
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::negotiation::MediaType;
use crate::http::problem::problem;

/// A response as the specification shapes it.
#[derive(Serialize)]
struct Shape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Data>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
}

/// Renders `answer` as `media_type`.
pub(super) fn render(media_type: MediaType, answer: Answer) -> Response {
    let refused = is_refusal(&answer);
    let shape = Shape {
        data: (!refused).then_some(&answer.data),
        errors: answer.errors.iter().map(|error| shape_error(error, refused)).collect(),
    };
    let Ok(body) = serde_json::to_vec(&shape) else {
        let message = "Something went wrong on the server.";
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message);
    };
    let status = match media_type {
        MediaType::GraphqlResponse if refused => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type.header())),
        (VARY, HeaderValue::from_static("Accept")),
    ];
    (status, headers, Body::from(body)).into_response()
}

/// Whether the request was refused before anything of it was run. Errors of fields have a path.
fn is_refusal(answer: &Answer) -> bool {
    !answer.errors.is_empty() && answer.errors.iter().all(|error| error.path.is_empty())
}

fn shape_error(error: &ServerError, refused: bool) -> Value {
    let mut shape = json!({ "message": error.message });
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
        // What the library says by itself: it could not read the document, or an argument.
        let code = match refused {
            true if error.message.trim_start().starts_with("-->") => "GRAPHQL_PARSE_FAILED",
            true => "GRAPHQL_VALIDATION_FAILED",
            false => "BAD_USER_INPUT",
        };
        extensions["code"] = code.into();
    }
    shape["extensions"] = extensions;
    shape
}
