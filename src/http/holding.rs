//! What an answer takes of the server's memory, until the client has it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::concurrency::Permit;
use crate::memory::Reservation;

/// `body`, which holds its part of the memory, and the request's permit, until nearly all of it is sent: the connection
/// gives it away in pieces, and drops it after the last one.
pub(super) fn hold_until_sent(body: Body, held: (Reservation, Option<Permit>)) -> Body {
    Body::new(HeldBody { body, _held: held })
}

struct HeldBody {
    body: Body,
    _held: (Reservation, Option<Permit>),
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
