//! What a connection has in flight, to tell one that is in use from an idle one.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// How much of an answer is given away at a time. A client that takes so much in the time to write is not cut off.
const PIECE: usize = 16 * 1024;

/// What a connection has in flight. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// How many requests came whose answers are not given away yet.
    requests: usize,
    /// When that was last said to begin or to end.
    since: Instant,
    /// The answers on HTTP/2 of which a piece was given away, and since when no more is wanted.
    offered: HashMap<u64, Instant>,
    answers: u64,
    /// Whether anything came that belongs to no request, or to the rest of one.
    unread: bool,
    /// Whether it speaks HTTP/2, where a request that is not read to its end is no matter of the connection.
    multiplexed: bool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            requests: 0,
            since: Instant::now(),
            offered: HashMap::new(),
            answers: 0,
            unread: false,
            multiplexed: false,
        })))
    }

    /// Begins anew to count the time without a request.
    pub(super) fn touch(&self) {
        self.state().since = Instant::now();
    }

    /// Takes note of bytes that came.
    pub(super) fn mark_unread(&self) {
        self.state().unread = true;
    }

    /// Whether the client may still be sending what nobody will read.
    pub(super) fn is_unread(&self) -> bool {
        let state = self.state();
        state.unread && !state.multiplexed
    }

    /// Waits until there was no request in flight for `limit`.
    pub(super) async fn idle(&self, limit: Duration) {
        self.wait(limit, |state| (state.requests == 0).then_some(state.since)).await;
    }

    /// Waits until an answer on HTTP/2 has waited for its client for `limit`.
    pub(super) async fn stalled(&self, limit: Duration) {
        self.wait(limit, |state| state.offered.values().min().copied()).await;
    }

    /// Waits until `since` is `limit` ago. It may become later, or nothing, in the meantime.
    async fn wait(&self, limit: Duration, since: impl Fn(&State) -> Option<Instant>) {
        loop {
            let now = Instant::now();
            let since = since(&self.state()).unwrap_or(now);
            if since + limit <= now {
                return;
            }
            sleep_until(since + limit).await;
        }
    }

    /// Counts a request as in flight until the returned value is dropped.
    pub(super) fn begin(&self, multiplexed: bool) -> RequestInFlight {
        let mut state = self.state();
        state.requests += 1;
        state.since = Instant::now();
        state.multiplexed |= multiplexed;
        state.answers += 1;
        let number = state.answers;
        drop(state);
        RequestInFlight { activity: self.clone(), number, multiplexed }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct RequestInFlight {
    activity: Activity,
    number: u64,
    multiplexed: bool,
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests -= 1;
        state.since = Instant::now();
        state.offered.remove(&self.number);
    }
}

/// The body of a request, which tells when it has been read to its end.
pub(super) struct RequestBody {
    body: Body,
    activity: Activity,
    is_read: Arc<AtomicBool>,
}

impl RequestBody {
    /// `body`, and what tells whether it has been read to its end.
    pub(super) fn new(body: Body, activity: &Activity) -> (Self, Arc<AtomicBool>) {
        let is_read = Arc::new(AtomicBool::new(false));
        let received = Self { body, activity: activity.clone(), is_read: is_read.clone() };
        received.note(received.body.is_end_stream());
        (received, is_read)
    }

    fn note(&self, is_read: bool) {
        if is_read {
            self.is_read.store(true, Ordering::Relaxed);
            self.activity.state().unread = false;
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.note(frame.is_none() || self.body.is_end_stream());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, whose request is in flight until it is given away.
pub(super) struct ResponseBody {
    body: Body,
    /// What came of the body and is not given away yet.
    rest: Bytes,
    work: RequestInFlight,
}

impl ResponseBody {
    pub(super) fn new(body: Body, work: RequestInFlight) -> Self {
        Self { body, rest: Bytes::new(), work }
    }

    /// Notes since when the client has been offered something.
    fn offer(&self, since: Option<Instant>) {
        if self.work.multiplexed {
            let mut state = self.work.activity.state();
            match since {
                Some(since) => state.offered.insert(self.work.number, since),
                None => state.offered.remove(&self.work.number),
            };
        }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                // It is for us to go on.
                self.offer(None);
                return Poll::Pending;
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        self.offer(Some(Instant::now()));
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
