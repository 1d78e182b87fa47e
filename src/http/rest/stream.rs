//! A reply as server-sent events, while it is written.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
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
use crate::http::streams::expiry;
use crate::memory::{MemoryBudget, Reservation};
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
    let stream = EventStream {
        stored,
        events,
        requested: position.is_none(),
        budget: caller.budget,
        reservation: None,
        expiry: expiry(&caller.viewer),
        keep_alive: app.0.options.limits.keep_alive,
        closing: app.0.streams.closing.clone(),
        ended: false,
        _permit: caller.subscription,
        _tracked: app.0.streams.tracker.token(),
    };
    let chunks = stream::unfold(stream, |mut stream| async move {
        let bytes = stream.next().await?;
        Some((Ok::<_, Infallible>(bytes), stream))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        // nginx would keep events back until it has many.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

struct EventStream {
    stored: Stored,
    events: BoxStream<'static, Result<(ProgressEvent, ReplyPosition), Error>>,
    /// Whether the first event is still to come, which says what was stored.
    requested: bool,
    budget: MemoryBudget,
    /// What the event holds that is being sent.
    reservation: Option<Reservation>,
    expiry: Option<Instant>,
    keep_alive: Duration,
    closing: CancellationToken,
    ended: bool,
    _permit: Option<Permit>,
    _tracked: TaskTrackerToken,
}

impl EventStream {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if std::mem::take(&mut self.requested) {
            let id = cursor(self.stored.reply, ReplyPosition::START);
            return Some(event("requested", Some(&id), &self.stored));
        }
        self.reservation = None;
        let far = Instant::now() + Duration::from_hours(24);
        tokio::select! {
            biased;
            () = sleep_until(self.expiry.unwrap_or(far)), if self.expiry.is_some() => {
                Some(self.fail(&Error::Rejected(Rejection::Expired)))
            }
            next = self.events.next() => match next? {
                Ok((event, position)) => match self.write(event, position).await {
                    Ok(bytes) => Some(bytes),
                    Err(error) => Some(self.fail(&error)),
                },
                Err(error) => Some(self.fail(&error)),
            },
            // It breaks off, and the client comes again.
            () = self.closing.cancelled() => None,
            () = sleep(self.keep_alive) => Some(Bytes::from_static(b":\n\n")),
        }
    }

    async fn write(&mut self, progress: ProgressEvent, position: ReplyPosition) -> Result<Bytes, Error> {
        self.ended = matches!(progress, ProgressEvent::Ended(_));
        let (stored, bytes, reservation) = (self.stored, self.budget.taken(), self.budget.release());
        let write = move |_: &_| (to_event(stored, &progress, position), reservation);
        let (bytes, reservation) = TRANSPORT.run(self.budget.holder(), bytes, write).await?;
        self.reservation = Some(reservation);
        Ok(bytes)
    }

    /// Ends the stream with `error`.
    fn fail(&mut self, error: &Error) -> Bytes {
        error.log();
        self.ended = true;
        event("error", None, &json!({ "detail": error.message(), "errors": errors_of(error) }))
    }
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
