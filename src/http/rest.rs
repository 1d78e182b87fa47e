//! Chat for clients without GraphQL: one endpoint that sends a message and answers with the reply.

use axum::body::{Body, HttpBody};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

use super::App;
use super::access::LogFields;
use super::address::Client;
use super::body;
use super::graphql::check_content_type;
use super::holding::hold_until_sent;
use super::problem::{not_found, problem};
use crate::admission::{Principal, timed_out};
use crate::blocking::TRANSPORT;
use crate::chat::{Metadata, OnBusy, SendMessage};
use crate::entity::message::{self, Status, ToolCall};
use crate::error::{Code, Error};

/// `POST /api/{user_id}/chat`.
pub(super) fn router() -> Router<App> {
    Router::new().route("/api/{user_id}/chat", post(chat))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    message: String,
    conversation_id: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    conversation_id: Uuid,
    response: String,
    tool_calls: Vec<RestCall>,
}

#[derive(Serialize)]
struct RestCall {
    id: String,
    name: String,
    arguments: String,
}

impl From<&ToolCall> for RestCall {
    fn from(call: &ToolCall) -> Self {
        let ToolCall { call_id, name, arguments } = call.clone();
        Self { id: call_id, name, arguments }
    }
}

async fn chat(
    State(app): State<App>,
    user_id: Result<Path<String>, PathRejection>,
    Extension(notes): Extension<LogFields>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    // An id that is not UTF-8 is nobody's.
    let Ok(Path(user_id)) = user_id else { return Ok(not_found()) };
    let viewer = app.viewer(&headers).await?.ok_or(Error::Unauthenticated)?;
    notes.user(&viewer);
    let admission = &app.0.admission;
    let principal = Principal::new(Some(&viewer), client.0);
    let length = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let charged = admission.rates.charge_request(&principal, length);
    let permit = match charged.and_then(|()| admission.permits.requests.acquire(&principal)) {
        Ok(permit) => permit,
        Err(exceeded) => return Ok(exceeded.into_response()),
    };
    let budget = admission.budget(&principal);
    if viewer.id() != user_id {
        let message = "The token belongs to another user than the one in the URL.";
        return Ok(problem(Code::Forbidden, message));
    }
    if let Err(refusal) = check_content_type(&headers) {
        return Ok(refusal);
    }
    let body_budget = admission.body_budget(client.0);
    let bytes = match body::read(body, &app, client, &body_budget).await {
        Ok(bytes) => bytes,
        Err(refusal) => return Ok(refusal),
    };
    let question: Question = serde_json::from_slice(&bytes).map_err(|_| {
        Error::BadUserInput(
            "The body must be a JSON object with `message`, a string, and, if wanted, `conversation_id`, \
             a string or null."
                .to_owned(),
        )
    })?;
    drop((bytes, body_budget));
    let conversation_id = match question.conversation_id.as_deref() {
        Some(id) => Some(Uuid::try_parse(id).map_err(|_| Error::NotFound("conversation"))?),
        None => None,
    };
    let idempotency_key = match headers.get("idempotency-key").map(|key| key.to_str()) {
        Some(Ok(key)) => Some(key.to_owned()),
        Some(Err(_)) => return Err(Error::BadUserInput("`Idempotency-Key` must be ASCII.".to_owned())),
        None => None,
    };
    let chat = app.chat(viewer, budget.clone());
    let sent = chat
        .send(SendMessage {
            conversation_id,
            content: question.message,
            idempotency_key,
            on_busy: OnBusy::Enqueue,
            metadata: Metadata::default(),
        })
        .await?;
    let Ok(reply) = timeout(app.0.options.limits.request_timeout, chat.reply_ended(sent.reply.id)).await
    else {
        return Ok(timed_out().into_response());
    };
    let reply = reply?;
    if reply.status == Status::Failed {
        let failure = reply.failure.map(|failure| failure.message).unwrap_or_default();
        return Ok(problem(Code::AssistantFailed, &failure));
    }
    let bytes = bytes_of(&reply);
    budget.take(bytes)?;
    let answer = Answer {
        conversation_id: sent.conversation.id,
        response: reply.content,
        tool_calls: reply.parts.tool_calls().map(RestCall::from).collect(),
    };
    let held = budget.clone();
    let write = move |_: &_| (serde_json::to_vec(&answer), held);
    let (body, _) = TRANSPORT.run(budget.holder(), bytes, write).await?;
    let body = body.map_err(|error| Error::Internal(error.to_string()))?;
    // Written out, its text may take several times what it was.
    budget.take(body.len())?;
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((headers, hold_until_sent(Body::from(body), (budget.release(), permit))).into_response())
}

/// How many bytes the texts of a reply have.
fn bytes_of(reply: &message::Model) -> usize {
    reply.content.len() + reply.parts.bytes()
}
