//! Closing a connection so that its client can read the answer.
//!
//! A system that closes a socket on which unread bytes are waiting resets the connection, and the other side's system
//! then throws away what it has not handed out yet: the answer. So the sending side is closed first, and for a while what
//! still comes is read and thrown away.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;
use crate::admission::{Permits, Principal};
use crate::concurrency::Permit;

/// How long the rest of a request is waited for.
const TIME: Duration = Duration::from_secs(5);

/// How many bytes of it are read.
const BYTES: usize = 2 * 1024 * 1024;

/// A stream that is closed so, if not too many of its address are.
pub(super) struct Lingering<S> {
    stream: S,
    activity: Activity,
    permits: Permits,
    /// `None` for a proxy, whose clients are not known here.
    principal: Option<Principal>,
    permit: Option<Permit>,
    discarded: usize,
    /// When to give up; there once the sending side is closed.
    end: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, activity: Activity, permits: Permits, principal: Option<Principal>) -> Self {
        Self { stream, activity, permits, principal, permit: None, discarded: 0, end: None }
    }

    /// Whether to wait for the client. If so, it has a permit among those of its address.
    fn may_linger(&mut self) -> bool {
        if !self.activity.is_unread() {
            return false;
        }
        let Some(principal) = &self.principal else { return true };
        self.permit = self.permits.lingering.acquire(principal).ok();
        self.permit.is_some()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lingering<S> {
    /// Reads and throws away until the client has closed its side too, or it is too much.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 8 * 1024];
        loop {
            if self.end.as_mut().is_none_or(|end| end.as_mut().poll(context).is_ready()) {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            let length = buffer.filled().len();
            self.discarded += length;
            if read.is_err() || length == 0 || self.discarded > BYTES {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.activity.mark_unread();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            if !self.may_linger() {
                return Poll::Ready(Ok(()));
            }
            self.end = Some(Box::pin(sleep(TIME)));
        }
        self.poll_discard(context).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
