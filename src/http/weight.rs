//! What an answer takes of the server's memory, until the client has it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::http::traffic::Held;
use crate::memory::Load;

/// `body`, which holds what it takes, and the request's place, until nearly all of it is sent: the connection gives it
/// away in pieces, and drops it after the last one.
pub(super) fn weighed(body: Body, held: (Load, Held)) -> Body {
    Body::new(Weighed { body, _held: held })
}

struct Weighed {
    body: Body,
    _held: (Load, Held),
}

impl HttpBody for Weighed {
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
