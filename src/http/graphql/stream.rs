//! Answers one after another, in the body of one response.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::framing::Framing;
use super::operation::Answers;
use super::{expired, stopping};
use crate::auth::Viewer;
use crate::blocking::TRANSPORT;
use crate::error::Error;
use crate::http::App;
use crate::http::streams::expiry;
use crate::memory::Reservation;

/// A response that sends each of `answers` as it comes.
///
/// The stream ends early, with an error, when the viewer's token expires; and when the server stops, in a way that makes
/// the client come again. What an answer holds of the memory is held until it is sent.
pub(super) fn render(app: &App, framing: Framing, answers: Answers, viewer: Option<&Viewer>) -> Response {
    let body = AnswerStream {
        framing,
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
    let chunks = stream::unfold(body, |mut body| async move {
        let bytes = body.next().await?;
        Some((Ok::<_, Infallible>(bytes), body))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(framing.content_type())),
        (VARY, HeaderValue::from_static("Accept")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        // nginx would keep answers back until it has many.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

struct AnswerStream {
    framing: Framing,
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

impl AnswerStream {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if !self.begun {
            // Sent at once, so that proxies and clients see that the stream is there.
            self.begun = true;
            return Some(Bytes::from_static(self.framing.opening()));
        }
        self.reservation = None;
        let far = Instant::now() + Duration::from_hours(24);
        tokio::select! {
            biased;
            () = sleep_until(self.expiry.unwrap_or(far)), if self.expiry.is_some() => {
                self.ended = true;
                Some(self.framing.fatal(&expired(), self.errors))
            }
            answer = self.answers.next() => {
                let Some(answer) = answer else {
                    self.ended = true;
                    return Some(Bytes::from_static(self.framing.end()));
                };
                let (bytes, errors, framing) = (self.answers.bytes(), self.errors, self.framing);
                let reservation = self.answers.release();
                let write = move |_: &_| (framing.answer(&answer, errors), reservation);
                let written = TRANSPORT.run(self.answers.principal(), bytes, write).await;
                // The stream then breaks off, and the client comes again.
                let (bytes, reservation) = written.inspect_err(Error::log).ok()?;
                self.reservation = reservation;
                Some(bytes)
            }
            () = self.closing.cancelled() => {
                self.ended = true;
                self.framing.interrupted(&stopping(), self.errors)
            }
            () = sleep(self.keep_alive) => Some(Bytes::from_static(self.framing.heartbeat())),
        }
    }
}
