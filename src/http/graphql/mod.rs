//! GraphQL at `/graphql`: over HTTP as the specification of that name asks, as streams of server-sent events or of
//! parts, and over WebSockets.
//!
//! `async-graphql-axum` does this otherwise than is needed here: its extractor has no bound on bodies, takes any
//! `Content-Type`, and runs mutations that come by GET; its responses have the status 200 and `data` also where nothing
//! was run; its WebSockets and streams have no bounds, and it has no server-sent events.

mod answer;
mod framing;
mod negotiation;
mod operation;
mod request;
mod socket;
mod stream;

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

use self::answer::Answer;
use self::negotiation::{Accepted, Form};
pub(super) use self::negotiation::{check_content_type, prefers_events};
use self::operation::Answers;
use self::request::Fields;
use super::App;
use super::access::LogFields;
use super::address::Client;
use super::body;
use super::connection::Peer;
use super::holding::hold_until_sent;
use super::problem::problem;
use crate::admission::{Principal, READ_ONLY, Refusal, Refused};
use crate::auth::Rejection;
use crate::blocking::TRANSPORT;
use crate::error::{Code, Error};

/// `/graphql`.
pub(super) fn router() -> Router<App> {
    Router::new().route("/graphql", get(by_get).post(by_post))
}

async fn by_post(
    State(app): State<App>,
    Extension(notes): Extension<LogFields>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let budget = app.0.admission.body_budget(client.0);
    let read = async {
        let accepted = negotiation::accepted(&headers)?;
        check_content_type(&headers)?;
        let bytes = body::read(body, &app, client, &budget).await?;
        Ok((accepted, Fields::from_body(&bytes).map_err(malformed)?))
    };
    match read.await {
        Ok((accepted, fields)) => respond(&app, &notes, client, &headers, accepted, fields, true).await,
        Err(refusal) => refusal,
    }
}

async fn by_get(
    State(app): State<App>,
    Extension(notes): Extension<LogFields>,
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
    notes: &LogFields,
    client: Client,
    headers: &HeaderMap,
    accepted: Accepted,
    fields: Fields,
    may_write: bool,
) -> Response {
    let viewer = match app.viewer(headers).await {
        Ok(viewer) => viewer,
        Err(error) => return error.into_response(),
    };
    if let Some(viewer) = &viewer {
        notes.user(viewer);
    }
    let principal = Principal::new(viewer.as_ref(), client.0);
    if let Err(exceeded) = app.0.admission.rates.charge_request(&principal, fields.bytes) {
        return exceeded.into_response();
    }
    let execution = match app.admit(fields, viewer.as_ref(), principal, may_write).await {
        Ok(execution) => execution,
        Err(refused) => {
            notes.operation(refused.operation.as_ref());
            return refuse(app, accepted, refused);
        }
    };
    notes.operation(Some(&execution.admitted.operation));
    let errors = app.0.options.limits.errors;
    let kind = execution.admitted.operation.kind;
    match accepted.form(kind) {
        Form::Stream(framing) => stream::render(app, framing, execution.stream(app), viewer.as_ref()),
        Form::Single(media_type) if kind == OperationType::Subscription => {
            let message = "Subscriptions need a WebSocket, or `Accept: text/event-stream` or \
                           `multipart/mixed;subscriptionSpec=1.0`.";
            let answer = Answer::from_errors(vec![Code::BadRequest.error(message)]);
            answer::render(media_type, answer, errors)
        }
        Form::Single(media_type) => {
            let budget = execution.admitted.budget.clone();
            let (answer, permit) = execution.run(app).await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(failed) => return failed.into_response(),
            };
            let bytes = if answer.is_unwritten() { budget.taken() } else { 0 };
            let held = (budget.release(), permit);
            let render = move |_: &_| {
                answer::render(media_type, answer, errors).map(|body| hold_until_sent(body, held))
            };
            let rendered = TRANSPORT.run(budget.holder(), bytes, render).await;
            rendered.unwrap_or_else(IntoResponse::into_response)
        }
    }
}

/// Answers a request that is not run.
fn refuse(app: &App, accepted: Accepted, refused: Refused) -> Response {
    let form = accepted.form(refused.kind());
    let answer = match refused.reason {
        Refusal::Limit(exceeded) => return exceeded.into_response(),
        Refusal::ReadOnly => {
            let refusal = problem(Code::MethodNotAllowed, READ_ONLY);
            return ([(ALLOW, HeaderValue::from_static("POST"))], refusal).into_response();
        }
        Refusal::Invalid(errors) => Answer::from_errors(errors),
    };
    match form {
        Form::Single(media_type) => answer::render(media_type, answer, app.0.options.limits.errors),
        Form::Stream(framing) => stream::render(app, framing, Answers::one(answer), None),
    }
}

fn malformed(message: impl AsRef<str>) -> Response {
    problem(Code::BadRequest, message.as_ref())
}

/// The answer with which a stream ends when its viewer's token does.
fn expired() -> Answer {
    let error = Error::Rejected(Rejection::Expired);
    Answer::from_errors(vec![error.code().error(error.message())])
}

/// The answer with which a stream ends when the server does.
fn stopping() -> Answer {
    Answer::from_errors(vec![Code::Unavailable.error("The server stops; subscribe again.")])
}
