//! A reply as server-sent events, while it is written.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::answer::{ReplyAnswer, Stored, ToolCall};
use super::caller::Caller;
use crate::auth::Rejection;
use crate::blocking::TRANSPORT;
use crate::concurrency::Permit;
use crate::error::Error;
use crate::graphql::{Cursor, ReplyCursor};
use crate::http::App;
use crate::http::problem::errors_of;
use crate::http::stream_body::{self, Piece, Pieces};
use crate::memory::MemoryBudget;
use crate::reply::{ProgressEvent, ReplyPosition};

/// Streams the reply that a request has asked for; with `after`, what follows that place. The request's permit is given
/// back: the stream has one of its own.
pub(super) async fn begin(
    app: &App,
    caller: Caller,
    stored: Stored,
    after: Option<ReplyCursor>,
) -> Result<Response, Error> {
    let position = after.map(|cursor| cursor.position);
    let events = caller.chat.reply_progress(stored.reply, position).await?;
    let requested = || event("requested", Some(&cursor(stored.reply, ReplyPosition::START)), &stored);
    let opening = position.is_none().then(requested);
    let pieces = EventPieces { stored, events, budget: caller.budget, _permit: caller.subscription };
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"))];
    Ok((headers, stream_body::render(app, Some(&caller.viewer), opening, pieces)).into_response())
}

struct EventPieces {
    stored: Stored,
    events: BoxStream<'static, ProgressResult>,
    budget: MemoryBudget,
    _permit: Option<Permit>,
}

type ProgressResult = Result<(ProgressEvent, ReplyPosition), Error>;

impl Pieces for EventPieces {
    type Item = ProgressResult;

    async fn next(&mut self) -> Option<ProgressResult> {
        self.events.next().await
    }

    async fn write(&mut self, next: Option<ProgressResult>) -> Piece {
        let Some(next) = next else { return Piece::last(None) };
        let written = match next {
            Ok((progress, position)) => self.write_event(progress, position).await,
            Err(error) => Err(error),
        };
        written.unwrap_or_else(|error| {
            error.log();
            Piece::last(Some(failure(&error)))
        })
    }

    fn expired(&self) -> Bytes {
        let error = Error::Rejected(Rejection::Expired);
        error.log();
        failure(&error)
    }

    /// It breaks off, and the client comes again.
    fn interrupted(&self) -> Option<Bytes> {
        None
    }

    fn heartbeat(&self) -> &'static [u8] {
        b":\n\n"
    }
}

impl EventPieces {
    async fn write_event(
        &mut self,
        progress: ProgressEvent,
        position: ReplyPosition,
    ) -> Result<Piece, Error> {
        let is_last = matches!(progress, ProgressEvent::Ended(_));
        let (stored, bytes, reservation) = (self.stored, self.budget.taken(), self.budget.release());
        let write = move |_: &_| (to_event(stored, &progress, position), reservation);
        let (bytes, reservation) = TRANSPORT.run(self.budget.holder(), bytes, write).await?;
        Ok(Piece { bytes: Some(bytes), reservation: Some(reservation), is_last })
    }
}

/// The event that ends a stream with `error`.
fn failure(error: &Error) -> Bytes {
    event("error", None, &json!({ "detail": error.message(), "errors": errors_of(error) }))
}

fn to_event(stored: Stored, progress: &ProgressEvent, position: ReplyPosition) -> Bytes {
    let id = cursor(stored.reply, position);
    let attempt = || json!({ "attempt": position.attempt });
    match progress {
        ProgressEvent::Started => event("started", Some(&id), &attempt()),
        ProgressEvent::Reasoning(text) => event("reasoning", Some(&id), &json!({ "text": text })),
        ProgressEvent::Text(text) => event("text", Some(&id), &json!({ "text": text })),
        ProgressEvent::ToolCall(index, call) => {
            let call = ToolCall::new(stored.reply, *index, call);
            event("tool_call", Some(&id), &json!({ "tool_call": call }))
        }
        ProgressEvent::Restarted => event("restarted", Some(&id), &attempt()),
        ProgressEvent::Ended(row) => event("ended", Some(&id), &ReplyAnswer::new(stored, row)),
    }
}

fn cursor(reply: Uuid, position: ReplyPosition) -> String {
    ReplyCursor { reply, position }.encode()
}

fn event(name: &str, id: Option<&str>, data: &impl Serialize) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let mut bytes = format!("event: {name}\n{id}data: ").into_bytes();
    // JSON of serde's has no line breaks, so one line holds it all.
    if let Err(error) = serde_json::to_writer(&mut bytes, data) {
        tracing::error!(%error, "an event could not be written");
    }
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}
