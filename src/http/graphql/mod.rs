//! GraphQL at `/graphql`: over HTTP as the specification of that name asks, over server-sent events, and over
//! WebSockets.

mod answer;
mod negotiation;
mod operation;
mod persisted;
mod request;
mod socket;
mod sse;

use async_graphql::Response as Answer;
use async_graphql::parser::types::OperationType;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use self::negotiation::Accepted;
pub(super) use self::negotiation::check_content_type;
pub use self::persisted::TrustedDocuments;
use self::request::Fields;
use super::App;
use super::access::Notes;
use super::address::Client;
use super::body;
use super::connection::Peer;
use super::problem::problem;
use super::traffic::{What, Who};
use super::weight::weighed;
use crate::auth::Rejection;
use crate::error::{Code, Error};

/// `/graphql`.
pub(super) fn router() -> Router<App> {
    Router::new().route("/graphql", get(by_get).post(by_post))
}

async fn by_post(
    State(app): State<App>,
    Extension(notes): Extension<Notes>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let share = app.body_share(client);
    let read = async {
        let accepted = negotiation::accepted(&headers)?;
        check_content_type(&headers)?;
        let bytes = body::read(body, &app, client, &share).await?;
        Ok((accepted, Fields::from_body(&bytes).map_err(malformed)?))
    };
    match read.await {
        Ok((accepted, fields)) => respond(&app, &notes, client, &headers, accepted, fields, true).await,
        Err(refusal) => refusal,
    }
}

async fn by_get(
    State(app): State<App>,
    Extension(notes): Extension<Notes>,
    Extension(client): Extension<Client>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Ok(upgrade) = upgrade {
        return socket::upgrade(&app, &notes, client, peer, &headers, upgrade).await;
    }
    // What else one might upgrade to is not known here.
    if socket::is_handshake(&headers) {
        return socket::refuse(&headers);
    }
    let read = negotiation::accepted(&headers).and_then(|accepted| {
        let fields = Fields::from_query(query.as_deref().unwrap_or_default()).map_err(malformed)?;
        Ok((accepted, fields))
    });
    match read {
        Ok((accepted, fields)) => respond(&app, &notes, client, &headers, accepted, fields, false).await,
        Err(refusal) => refusal,
    }
}

async fn respond(
    app: &App,
    notes: &Notes,
    client: Client,
    headers: &HeaderMap,
    accepted: Accepted,
    fields: Fields,
    may_write: bool,
) -> Response {
    let errors = app.0.options.limits.errors;
    let viewer = match app.viewer(headers).await {
        Ok(viewer) => viewer,
        Err(error) => return error.into_response(),
    };
    if let Some(viewer) = &viewer {
        notes.user(viewer);
    }
    let who = Who::new(viewer.as_ref(), client.0);
    if let Err(refusal) = app.0.traffic.count(&who, fields.bytes) {
        return refusal.into_response();
    }
    let operation = match app.prepare(fields, viewer.as_ref(), &who) {
        Ok(operation) => operation,
        Err(error) => {
            let answer = Answer::from_errors(vec![error]);
            return match accepted.media_type(OperationType::Query) {
                Some(media_type) => answer::render(media_type, answer, errors),
                None => sse::render(app, once(answer), None, None, ()),
            };
        }
    };
    if let Some(name) = &operation.selected.name {
        notes.operation(name);
    }
    let kind = operation.selected.kind;
    // A link must not change anything.
    if kind == OperationType::Mutation && !may_write {
        let message = "GET is for queries and subscriptions; send this by POST.";
        let mut refusal = problem(Code::MethodNotAllowed, message);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return refusal;
    }
    let media_type = accepted.media_type(kind);
    let is_subscription = operation.is_subscription();
    let what = if is_subscription { What::Subscription } else { What::Request };
    let held = match app.0.traffic.hold(who, what) {
        Ok(held) => held,
        Err(refusal) => return refusal.into_response(),
    };
    match media_type {
        None => {
            let share = operation.share.clone();
            sse::render(app, app.stream(operation), viewer.as_ref(), Some(share), held)
        }
        Some(media_type) if is_subscription => {
            let message = "Subscriptions need a WebSocket, or `Accept: text/event-stream`.";
            let answer = Answer::from_errors(vec![Code::BadRequest.error(message)]);
            answer::render(media_type, answer, errors)
        }
        Some(media_type) => {
            let share = operation.share.clone();
            let answer = app.run(operation).await;
            let response = answer::render(media_type, answer, errors);
            response.map(|body| weighed(body, (share.hand_over(), held)))
        }
    }
}

fn once(answer: Answer) -> futures_util::stream::BoxStream<'static, Answer> {
    Box::pin(futures_util::stream::once(std::future::ready(answer)))
}

fn malformed(message: impl AsRef<str>) -> Response {
    problem(Code::BadRequest, message.as_ref())
}

/// The answer with which a stream ends when its viewer's token does.
fn expired() -> Answer {
    let error = Error::Rejected(Rejection::Expired);
    Answer::from_errors(vec![error.code().error(error.message())])
}
