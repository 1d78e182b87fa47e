//! Chat for clients without GraphQL: one endpoint that sends a message and answers with the reply.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::App;
use super::access::Notes;
use super::problem::problem;
use crate::assistant::ToolCall;
use crate::chat::{Metadata, OnBusy, SendMessage};
use crate::entity::message::Status;
use crate::error::Error;

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
    tool_calls: Vec<ToolCall>,
}

async fn chat(
    State(app): State<App>,
    Path(user_id): Path<String>,
    Extension(notes): Extension<Notes>,
    headers: HeaderMap,
    question: Result<Json<Question>, JsonRejection>,
) -> Result<Response, Error> {
    let viewer = app.viewer(&headers).await?.ok_or(Error::Unauthenticated)?;
    notes.user(&viewer);
    if viewer.id() != user_id {
        let message = "The token is not of the user in the address.";
        return Ok(problem(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    let Json(question) = match question {
        Ok(question) => question,
        Err(rejection) => return Ok(refuse(&rejection)),
    };
    let conversation_id = match question.conversation_id.as_deref() {
        Some(id) => Some(Uuid::try_parse(id).map_err(|_| Error::NotFound("conversation"))?),
        None => None,
    };
    let idempotency_key = match headers.get("idempotency-key").map(|key| key.to_str()) {
        Some(Ok(key)) => Some(key.to_owned()),
        Some(Err(_)) => return Err(Error::BadUserInput("`Idempotency-Key` must be ASCII.".to_owned())),
        None => None,
    };
    let chat = app.chat(viewer);
    let sent = chat
        .send(SendMessage {
            conversation_id,
            content: question.message,
            idempotency_key,
            on_busy: OnBusy::Enqueue,
            metadata: Metadata::default(),
        })
        .await?;
    let reply = chat.reply_ended(sent.reply.id).await?;
    if reply.status == Status::Failed {
        let failure = reply.failure.map(|failure| failure.0.message).unwrap_or_default();
        return Ok(problem(StatusCode::BAD_GATEWAY, "ASSISTANT_FAILED", &failure));
    }
    let answer = Answer {
        conversation_id: sent.conversation.id,
        response: reply.content,
        tool_calls: reply.tool_calls.0,
    };
    Ok(Json(answer).into_response())
}

/// Says what a body must be, in place of the library's own words.
fn refuse(rejection: &JsonRejection) -> Response {
    let (status, message) = match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send a body of the type application/json.")
        }
        JsonRejection::BytesRejection(_) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.")
        }
        _ => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body must be a JSON object with `message`, a string, and, if wanted, `conversation_id`, \
             a string or null.",
        ),
    };
    problem(status, "BAD_USER_INPUT", message)
}
