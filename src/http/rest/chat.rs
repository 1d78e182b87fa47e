//! Sending a message, and its reply.

use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::timeout;
use uuid::Uuid;

use super::answer::{ReplyAnswer, Stored};
use super::caller::{Caller, json};
use super::stream;
use super::wording::in_words_of_rest;
use crate::admission::timed_out;
use crate::assistant::Parameters;
use crate::chat::{Chat, Choice, Metadata, OnBusy, ReplyRequest, RetryReply, SendMessage, Sent};
use crate::entity::message::{self, Status};
use crate::error::Error;
use crate::graphql::{Cursor, ReplyCursor};
use crate::http::App;
use crate::http::access::LogFields;
use crate::http::address::Client;
use crate::http::problem::not_found;
use crate::http::{body, graphql};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    message: String,
    conversation_id: Option<String>,
    assistant_id: Option<String>,
    parameters: Option<Parameters>,
}

/// `POST /api/{user_id}/chat`.
pub(super) async fn chat(
    State(app): State<App>,
    user_id: Result<Path<String>, PathRejection>,
    Extension(log_fields): Extension<LogFields>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    // An id that is not UTF-8 is nobody's.
    let Ok(Path(user_id)) = user_id else { return Ok(not_found()) };
    let length = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let is_stream = graphql::prefers_events(&headers);
    let caller = Caller::admit(&app, (log_fields, client), &headers, length, &user_id, is_stream).await;
    let caller = match caller {
        Ok(caller) => caller,
        Err(refusal) => return Ok(refusal),
    };
    if let Err(refusal) = graphql::check_content_type(&headers) {
        return Ok(refusal);
    }
    // While the reply is awaited, the body is held no longer.
    let body_budget = app.0.admission.body_budget(client.0);
    let bytes = match body::read(body, &app, client, &body_budget).await {
        Ok(bytes) => bytes,
        Err(refusal) => return Ok(refusal),
    };
    let request = read(&bytes, &headers)?;
    let after = last_event(&headers)?;
    drop((bytes, body_budget));
    if let Some(after) = after {
        return resume(&app, caller, request, after).await;
    }
    let sent = send(&caller.chat, request).await?;
    let stored = Stored::of(&sent);
    if is_stream {
        return stream::begin(&app, caller, stored, None).await;
    }
    drop(sent);
    let ended = caller.chat.reply_ended(stored.reply);
    let Ok(reply) = timeout(app.0.options.limits.request_timeout, ended).await else {
        return Ok(timed_out().into_response());
    };
    let reply = reply?;
    let status = match reply.status {
        Status::Failed => StatusCode::BAD_GATEWAY,
        _ => StatusCode::OK,
    };
    caller.budget.take(bytes_of(&reply))?;
    caller.respond(status, move || json(&ReplyAnswer::new(stored, &reply))).await
}

/// What is asked for.
fn read(body: &[u8], headers: &HeaderMap) -> Result<SendMessage, Error> {
    let question: Question = serde_json::from_slice(body).map_err(|_| {
        let message = "The body must be a JSON object with `message`, a string, and, if wanted, `conversation_id` and \
                       `assistant_id`, strings or null, and `parameters`, an object or null.";
        Error::input("body", message)
    })?;
    let conversation_id = match question.conversation_id.as_deref() {
        Some(id) => Some(Uuid::try_parse(id).map_err(|_| Error::NotFound("conversation"))?),
        None => None,
    };
    Ok(SendMessage {
        conversation_id,
        content: question.message,
        idempotency_key: header(headers, "idempotency-key", "Idempotency-Key")?,
        on_busy: OnBusy::Enqueue,
        metadata: Metadata::default(),
        choice: Choice {
            assistant_id: question.assistant_id,
            parameters: question.parameters.and_then(Parameters::some),
        },
    })
}

/// The place in a reply after which a stream is to continue.
fn last_event(headers: &HeaderMap) -> Result<Option<ReplyCursor>, Error> {
    let text = header(headers, "last-event-id", "Last-Event-ID")?;
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let cursor = ReplyCursor::decode(&text);
    cursor
        .map(Some)
        .ok_or_else(|| Error::input("Last-Event-ID", "`Last-Event-ID` must be the id of an event."))
}

fn header(headers: &HeaderMap, name: &str, spelling: &str) -> Result<Option<String>, Error> {
    let text = headers.get(name).map(|value| value.to_str().map(str::to_owned)).transpose();
    text.map_err(|_| Error::input(spelling.to_owned(), format!("`{spelling}` must be ASCII.")))
}

/// Sends the message, unless it was sent before. A reply that has failed since then is begun again.
async fn send(chat: &Chat, request: SendMessage) -> Result<Sent, Error> {
    let sent = chat.send(request).await.map_err(in_words_of_rest)?;
    if sent.reply.status == Status::Failed {
        let again = RetryReply { message_id: sent.reply.id, idempotency_key: None };
        match chat.retry_reply(again).await {
            // Another request has begun it again, and it is complete.
            Ok(_) | Err(Error::InvalidState(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// Continues the stream of a request that was sent before.
async fn resume(
    app: &App,
    caller: Caller,
    request: SendMessage,
    after: ReplyCursor,
) -> Result<Response, Error> {
    if request.idempotency_key.is_none() {
        let message = "`Last-Event-ID` needs the `Idempotency-Key` of the request whose stream it continues.";
        return Err(Error::input("Idempotency-Key", message));
    }
    let known = caller.chat.has_requested(ReplyRequest::Send(request.clone()), after.reply).await;
    if !known.map_err(in_words_of_rest)? {
        let message = "`Last-Event-ID` is not of a stream of this request.";
        return Err(Error::input("Last-Event-ID", message));
    }
    let sent = caller.chat.send(request).await.map_err(in_words_of_rest)?;
    stream::begin(app, caller, Stored::of(&sent), Some(after)).await
}

/// How many bytes the texts of a reply have.
fn bytes_of(reply: &message::Model) -> usize {
    reply.content.len() + reply.reasoning.len() + reply.parts.bytes()
}
