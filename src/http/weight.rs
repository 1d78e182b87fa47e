//! What an answer takes of the server's memory, until the client has it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::http::traffic::Held;
use crate::memory::Load;

/// How much of an answer is given away at a time: what was given away is no longer counted.
const PIECE: usize = 64 * 1024;

/// `body`, which holds what it takes, and the request's place, until nearly all of it is sent.
pub(super) fn weighed(body: Body, held: (Load, Held)) -> Body {
    Body::new(Weighed { body, rest: Bytes::new(), _held: held })
}

struct Weighed {
    body: Body,
    /// What came of the body and is not given away yet.
    rest: Bytes,
    _held: (Load, Held),
}

impl HttpBody for Weighed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let rest = self.rest.len() as u64;
        match inner.exact() {
            Some(exact) => SizeHint::with_exact(exact + rest),
            None => SizeHint::default(),
        }
    }
}
