//! The body of a response that is sent piece by piece, for as long as its viewer's token and the server last.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::App;
use super::streams::expiry;
use crate::auth::Viewer;
use crate::memory::Reservation;

/// What a body is made of.
pub(super) trait Pieces: Send + Sized + 'static {
    /// What a piece is written from.
    type Item: Send;

    /// The next item; `None` after the last one. Dropping the future loses none.
    fn next(&mut self) -> impl Future<Output = Option<Self::Item>> + Send;

    /// The piece of an item, or of the end.
    fn write(&mut self, item: Option<Self::Item>) -> impl Future<Output = Piece> + Send;

    /// The last piece when the viewer's token expires.
    fn expired(&self) -> Bytes;

    /// The last piece when the server stops, if there is one. The client comes again in any case.
    fn interrupted(&self) -> Option<Bytes>;

    /// What is sent when there has been no item for a while.
    fn heartbeat(&self) -> &'static [u8];
}

/// A piece of a body.
#[derive(Debug)]
pub(super) struct Piece {
    /// Without any, the body breaks off.
    pub(super) bytes: Option<Bytes>,
    /// What it holds of the memory until it is sent.
    pub(super) reservation: Option<Reservation>,
    /// Whether none follows.
    pub(super) is_last: bool,
}

impl Piece {
    /// The last piece; the body breaks off without `bytes`.
    pub(super) fn last(bytes: Option<Bytes>) -> Self {
        Self { bytes, reservation: None, is_last: true }
    }
}

/// A response of `opening`, which is sent at once, and then of `pieces`.
///
/// It ends early when the viewer's token expires and when the server stops.
pub(super) fn render(
    app: &App,
    viewer: Option<&Viewer>,
    opening: Option<Bytes>,
    pieces: impl Pieces,
) -> Response {
    let body = StreamBody {
        pieces,
        opening,
        reservation: None,
        expiry: viewer.and_then(expiry).map(|expiry| Box::pin(sleep_until(expiry))),
        keep_alive: app.0.options.limits.keep_alive,
        sent_at: Instant::now(),
        pause: Box::pin(sleep(app.0.options.limits.keep_alive)),
        closing: Box::pin(app.0.streams.closing.clone().cancelled_owned()),
        ended: false,
        _tracked: app.0.streams.tracker.token(),
    };
    let chunks = stream::unfold(body, |mut body| async move {
        let bytes = body.next().await?;
        Some((Ok::<_, Infallible>(bytes), body))
    });
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        // nginx would keep pieces back until it has many.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (Extension(Streamed), headers, Body::from_stream(chunks)).into_response()
}

/// Marks responses whose bodies come piece by piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streamed;

struct StreamBody<P> {
    pieces: P,
    opening: Option<Bytes>,
    /// What the piece holds that is being sent.
    reservation: Option<Reservation>,
    expiry: Option<Pin<Box<Sleep>>>,
    keep_alive: Duration,
    sent_at: Instant,
    /// Ends when a heartbeat may be due. It is not moved for each piece.
    pause: Pin<Box<Sleep>>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
    _tracked: TaskTrackerToken,
}

impl<P: Pieces> StreamBody<P> {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        self.reservation = None;
        let piece = loop {
            tokio::select! {
                biased;
                () = expired(self.expiry.as_mut()) => break Piece::last(Some(self.pieces.expired())),
                item = self.pieces.next() => break self.pieces.write(item).await,
                () = &mut self.closing => break Piece::last(self.pieces.interrupted()),
                () = &mut self.pause => {
                    let due = self.sent_at + self.keep_alive;
                    let now = Instant::now();
                    if due > now {
                        self.pause.as_mut().reset(due);
                        continue;
                    }
                    self.sent_at = now;
                    self.pause.as_mut().reset(now + self.keep_alive);
                    return Some(Bytes::from_static(self.pieces.heartbeat()));
                }
            }
        };
        self.sent_at = Instant::now();
        self.ended = piece.is_last;
        self.reservation = piece.reservation;
        piece.bytes
    }
}

/// Waits for the end of a token; for ever if it has none.
async fn expired(expiry: Option<&mut Pin<Box<Sleep>>>) {
    match expiry {
        Some(expiry) => expiry.await,
        None => std::future::pending().await,
    }
}
