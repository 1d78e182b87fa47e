//! GraphQL over HTTP at `/graphql`, as the specification of that name asks.

mod answer;
mod negotiation;
mod request;

use async_graphql::parser::types::{DocumentOperations, OperationType};
use async_graphql::{Request, Response as Answer};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::App;
use super::access::Notes;
use super::problem::problem;
use crate::auth::Viewer;
use crate::graphql::Session;

/// `/graphql`.
pub(super) fn router() -> Router<App> {
    Router::new().route("/graphql", get(by_get).post(by_post))
}

async fn by_post(
    State(app): State<App>,
    Extension(notes): Extension<Notes>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let media_type = match negotiation::media_type(&headers) {
        Ok(media_type) => media_type,
        Err(refusal) => return refusal,
    };
    if let Err(refusal) = negotiation::check_content_type(&headers) {
        return refusal;
    }
    let viewer = match app.viewer(&headers).await {
        Ok(viewer) => viewer,
        Err(error) => return error.into_response(),
    };
    match request::from_body(body).await {
        Ok(request) => answer::render(media_type, app.execute(viewer, request, &notes).await),
        Err(refusal) => refusal,
    }
}

async fn by_get(
    State(app): State<App>,
    Extension(notes): Extension<Notes>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let media_type = match negotiation::media_type(&headers) {
        Ok(media_type) => media_type,
        Err(refusal) => return refusal,
    };
    let viewer = match app.viewer(&headers).await {
        Ok(viewer) => viewer,
        Err(error) => return error.into_response(),
    };
    let mut request = match request::from_query(query.as_deref().unwrap_or_default()) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    // A link must not change anything.
    if operation_type(&mut request).is_some_and(|operation| operation != OperationType::Query) {
        let message = "GET is for queries; send this by POST.";
        let mut refusal = problem(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return refusal;
    }
    answer::render(media_type, app.execute(viewer, request, &notes).await)
}

impl App {
    async fn execute(&self, viewer: Option<Viewer>, mut request: Request, notes: &Notes) -> Answer {
        if let Some(name) = operation_name(&mut request) {
            notes.operation(&name);
        }
        let session = match viewer {
            Some(viewer) => {
                notes.user(&viewer);
                Session::of(self.chat(viewer))
            }
            None => Session::anonymous(),
        };
        self.0.schema.execute(request.data(session)).await
    }
}

/// The name of the operation that is asked for.
fn operation_name(request: &mut Request) -> Option<String> {
    if request.operation_name.is_some() {
        return request.operation_name.clone();
    }
    match &request.parsed_query().ok()?.operations {
        DocumentOperations::Multiple(operations) if operations.len() == 1 => {
            operations.keys().next().map(ToString::to_string)
        }
        _ => None,
    }
}

/// The type of the operation that is asked for; `None` if the request names none of its document's.
fn operation_type(request: &mut Request) -> Option<OperationType> {
    let name = operation_name(request);
    let document = request.parsed_query().ok()?;
    match &document.operations {
        DocumentOperations::Single(operation) => Some(operation.node.ty),
        DocumentOperations::Multiple(operations) => {
            operations.get(name?.as_str()).map(|operation| operation.node.ty)
        }
    }
}
