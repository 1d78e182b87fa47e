//! Answers as server-sent events, in the "distinct connections" mode of `graphql-sse`.

use std::convert::Infallible;
use std::time::Duration;

use async_graphql::Response as Answer;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::answer::ResponseShape;
use super::expired;
use super::operation::Answers;
use crate::auth::Viewer;
use crate::blocking::TRANSPORT;
use crate::error::Error;
use crate::http::App;
use crate::http::streams::expiry;
use crate::memory::Reservation;

/// A response that sends each of `answers` as it comes.
///
/// The stream ends early, with an error, when the viewer's token expires; and without a `complete` event, so that
/// the client comes again, when the server stops. What an answer holds of the memory is held until it is sent.
pub(super) fn render(app: &App, answers: Answers, viewer: Option<&Viewer>) -> Response {
    let events = Events {
        answers,
        reservation: None,
        errors: app.0.options.limits.errors,
        expiry: viewer.and_then(expiry),
        keep_alive: app.0.options.limits.keep_alive,
        closing: app.0.streams.closing.clone(),
        begun: false,
        ended: false,
        _tracked: app.0.streams.tracker.token(),
    };
    let events = stream::unfold(events, |mut events| async move {
        let bytes = events.next().await?;
        Some((Ok::<_, Infallible>(bytes), events))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (VARY, HeaderValue::from_static("Accept")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        // nginx would keep events back until it has many.
        (axum::http::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(events)).into_response()
}

struct Events {
    answers: Answers,
    /// What the answer holds that is being sent.
    reservation: Option<Reservation>,
    errors: usize,
    expiry: Option<Instant>,
    keep_alive: Duration,
    closing: CancellationToken,
    begun: bool,
    ended: bool,
    _tracked: TaskTrackerToken,
}

impl Events {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if !self.begun {
            // Sent at once, so that proxies and clients see that the stream is there.
            self.begun = true;
            return Some(COMMENT);
        }
        self.reservation = None;
        let far = Instant::now() + Duration::from_hours(24);
        tokio::select! {
            biased;
            () = sleep_until(self.expiry.unwrap_or(far)), if self.expiry.is_some() => {
                self.ended = true;
                let mut bytes = next(&expired(), self.errors);
                bytes.extend_from_slice(COMPLETE);
                Some(bytes.into())
            }
            answer = self.answers.next() => {
                let Some(answer) = answer else {
                    self.ended = true;
                    return Some(Bytes::from_static(COMPLETE));
                };
                let (bytes, errors) = (self.answers.bytes(), self.errors);
                let reservation = self.answers.release();
                let write = move |_: &_| (next(&answer, errors), reservation);
                let written = TRANSPORT.run(self.answers.principal(), bytes, write).await;
                // The stream then breaks off, and the client comes again.
                let (bytes, reservation) = written.inspect_err(Error::log).ok()?;
                self.reservation = reservation;
                Some(bytes.into())
            }
            () = self.closing.cancelled() => None,
            () = sleep(self.keep_alive) => Some(COMMENT),
        }
    }
}

const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Browsers pass an event on only if it has data, be it empty.
const COMPLETE: &[u8] = b"event: complete\ndata: \n\n";

fn next(answer: &Answer, errors: usize) -> Vec<u8> {
    let mut bytes = b"event: next\ndata: ".to_vec();
    // JSON of serde's has no line breaks, so one line holds it all.
    let written = serde_json::to_writer(&mut bytes, &ResponseShape::new(answer, errors));
    if let Err(error) = written {
        tracing::error!(%error, "an answer could not be written");
    }
    bytes.extend_from_slice(b"\n\n");
    bytes
}
