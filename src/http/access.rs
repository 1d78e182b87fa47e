//! One log line a request, and no panic beyond it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::problem::problem;
use crate::admission::Operation;
use crate::auth::{UserId, Viewer};
use crate::error::{Code, Error};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers add to their request's log line.
#[derive(Clone, Debug, Default)]
pub(super) struct LogFields(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    user: OnceLock<UserId>,
    operation: OnceLock<String>,
}

impl LogFields {
    /// Notes who asks, which is logged as a hash.
    pub(super) fn user(&self, viewer: &Viewer) {
        let _ = self.0.user.set(viewer.user_id().clone());
    }

    /// Notes what is asked for. Names are the client's: only sane ones are logged.
    pub(super) fn operation(&self, operation: Option<&Operation>) {
        let Some(name) = operation.and_then(|operation| operation.name.as_deref()) else { return };
        let name = name.bytes().take(64).filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let _ = self.0.operation.set(name.map(char::from).collect());
    }
}

/// Gives the request an id, answers for it if its handler panics, and logs it.
pub(super) async fn log(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    // The route, not the path: a path may hold a user's id.
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let notes = LogFields::default();
    request.extensions_mut().insert(notes.clone());
    let span = tracing::info_span!("request", id);
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span).await;
    let mut response = handled.unwrap_or_else(|_| problem(Code::Internal, Error::INTERNAL));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // Nothing that is served here is to be taken for something else.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    tracing::info!(
        id,
        user = notes.0.user.get().map(UserId::log_id),
        %method,
        route,
        operation = notes.0.operation.get().map(String::as_str),
        status = response.status().as_u16(),
        ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request",
    );
    response
}

/// The id that a proxy gave the request, if it is sane, or one of our own.
fn request_id(request: &Request) -> String {
    let sane = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(sane);
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}
