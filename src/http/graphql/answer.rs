//! The shape of answers, the same on every transport.

use async_graphql::ServerError;
use async_graphql_axum::GraphQLResponse;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::negotiation::MediaType;
use crate::error::Code;
use crate::graphql::WrittenAnswer;

/// How many characters of a message are sent: the library quotes what it was sent.
const MESSAGE_CHARS: usize = 300;

/// What an operation answers.
pub(super) struct Answer {
    data: Data,
    pub(super) errors: Vec<ServerError>,
}

enum Data {
    /// As the library returns it.
    Value(async_graphql::Value),
    /// As JSON, after `{"data":`.
    Json(Vec<u8>),
}

impl Answer {
    /// An answer without data.
    pub(super) fn from_errors(errors: Vec<ServerError>) -> Self {
        Self { data: Data::Value(async_graphql::Value::Null), errors }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether its data are not JSON yet. What is JSON is sent as it is.
    pub(super) fn is_unwritten(&self) -> bool {
        matches!(self.data, Data::Value(_))
    }
}

impl From<async_graphql::Response> for Answer {
    fn from(answer: async_graphql::Response) -> Self {
        Self { data: Data::Value(answer.data), errors: answer.errors }
    }
}

impl From<WrittenAnswer> for Answer {
    fn from(answer: WrittenAnswer) -> Self {
        Self { data: Data::Json(answer.data), errors: answer.errors }
    }
}

/// An answer as the specification shapes it.
pub(super) struct ResponseShape<'a> {
    data: Option<&'a Data>,
    pub(super) errors: Vec<Value>,
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

    /// Appends the answer to `bytes`.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        match self.data {
            Some(Data::Value(value)) => {
                bytes.extend_from_slice(b"{\"data\":");
                write_json(bytes, value);
            }
            Some(Data::Json(json)) => {
                bytes.reserve(json.len() + 32);
                bytes.extend_from_slice(json);
            }
            None => {}
        }
        self.write_rest(bytes);
    }

    /// Appends what comes after the data.
    fn write_rest(&self, bytes: &mut Vec<u8>) {
        let mut opening = if self.data.is_some() { b',' } else { b'{' };
        let mut key = |bytes: &mut Vec<u8>, name: &[u8]| {
            bytes.push(opening);
            bytes.extend_from_slice(name);
            opening = b',';
        };
        if !self.errors.is_empty() {
            key(bytes, b"\"errors\":");
            write_json(bytes, &self.errors);
        }
        if let Some(extensions) = &self.extensions {
            key(bytes, b"\"extensions\":");
            write_json(bytes, extensions);
        }
        bytes.push(b'}');
    }

    /// Whether nothing of the request was run.
    pub(super) fn is_refusal(&self) -> bool {
        self.data.is_none()
    }
}

/// Renders `answer` as `media_type`.
pub(super) fn render(media_type: MediaType, mut answer: Answer, errors: usize) -> Response {
    // Data that are JSON are not copied: the rest is appended to them.
    let written = match &mut answer.data {
        Data::Value(value) if answer.errors.is_empty() => {
            let answer = async_graphql::Response::new(std::mem::take(value));
            return label(media_type, GraphQLResponse::from(answer).into_response());
        }
        Data::Json(json) => std::mem::take(json),
        Data::Value(_) => Vec::new(),
    };
    let shape = ResponseShape::new(&answer, errors);
    let mut body = Vec::new();
    if written.is_empty() || shape.is_refusal() {
        shape.write(&mut body);
    } else {
        body = written;
        shape.write_rest(&mut body);
    }
    let status = match (shape.is_refusal(), media_type) {
        (true, MediaType::GraphqlResponse) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    label(media_type, (status, Body::from(body)).into_response())
}

/// Appends `value` to `bytes`.
pub(super) fn write_json(bytes: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    if let Err(error) = serde_json::to_writer(bytes, value) {
        tracing::error!(%error, "an answer could not be written");
    }
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
