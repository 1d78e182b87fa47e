//! Streams over HTTP/1.1: their connections are taken from the HTTP library once the head of the response is sent.
//!
//! The library has two buffers of 8 KiB for each connection, and what it knows of it. All that such a connection has left to
//! do is to send chunks, after the last of which it is closed: an idle event stream takes 15 kB, and took 43.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write as _};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use bytes::Bytes;
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::activity::ResponseBody;

/// How many bytes of chunks are written at once, about.
const CHUNKS: usize = 16 * 1024;

/// How many bytes are read and thrown away that a client sends after its request. Further ones are left where they are.
const DISCARDED: usize = 64 * 1024;

/// The body that is to be sent on a connection, and the connection once the library has given it back. Clones share it.
pub(super) struct Handover<S>(Arc<Inner<S>>);

struct Inner<S> {
    stage: AtomicU8,
    body: Mutex<Option<ResponseBody>>,
    io: Mutex<Option<S>>,
}

/// The library is to write a head.
const OFFERED: u8 = 1;
/// The library has written the head to its buffer.
const WRITTEN: u8 = 2;
/// The library has nothing in its buffer.
const SENT: u8 = 3;

impl<S> Clone for Handover<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Handover<S> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { stage: AtomicU8::new(0), body: Mutex::default(), io: Mutex::default() }))
    }

    /// Offers to send `body`. Returns what stands for it in the response that the library gets.
    pub(super) fn offer(&self, body: ResponseBody) -> HeadOnly<S> {
        *lock(&self.0.body) = Some(body);
        self.0.stage.store(OFFERED, Ordering::Release);
        HeadOnly(self.clone())
    }

    /// The body that was offered, once the head is sent. The library is to be dropped then, and nothing else.
    pub(super) fn take_body(&self) -> Option<ResponseBody> {
        if self.0.stage.load(Ordering::Acquire) == SENT { lock(&self.0.body).take() } else { None }
    }

    /// The connection, once the library is dropped.
    pub(super) fn take_io(&self) -> Option<S> {
        lock(&self.0.io).take()
    }

    fn advance(&self, from: u8, to: u8) {
        // Only the connection's task is here.
        if self.0.stage.load(Ordering::Acquire) == from {
            self.0.stage.store(to, Ordering::Release);
        }
    }
}

fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body of which nothing comes.
pub(super) struct HeadOnly<S>(Handover<S>);

impl<S> HttpBody for HeadOnly<S> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The body is asked for once the head is in the buffer.
        self.0.advance(OFFERED, WRITTEN);
        Poll::Pending
    }
}

/// A connection that comes back from the library if it is handed over.
pub(super) struct Lent<S> {
    io: Option<S>,
    handover: Handover<S>,
}

impl<S> Lent<S> {
    pub(super) fn new(io: S, handover: Handover<S>) -> Self {
        Self { io: Some(io), handover }
    }
}

impl<S: Unpin> Lent<S> {
    fn io(&mut self) -> io::Result<Pin<&mut S>> {
        self.io.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if self.handover.0.stage.load(Ordering::Acquire) == SENT {
            *lock(&self.handover.0.io) = self.io.take();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io()?.poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.io()?.poll_flush(context))?;
        // The library flushes what it has written, once its buffer is empty.
        self.handover.advance(WRITTEN, SENT);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io()?.poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

/// What is to be written next.
enum Next {
    Chunks(Vec<u8>),
    /// The last of them.
    End(Vec<u8>),
    /// The body broke off, or the client has gone.
    Broken,
}

/// Sends a body in chunks, until its end or the client's, and closes the connection.
pub(super) async fn send<S: AsyncRead + AsyncWrite + Unpin>(mut io: S, body: ResponseBody) {
    let mut body = pin!(body);
    let mut discarded = 0;
    loop {
        let next = poll_fn(|context| poll_chunks(body.as_mut(), &mut io, &mut discarded, context)).await;
        let (chunks, is_last) = match next {
            Next::Chunks(chunks) => (chunks, false),
            Next::End(chunks) => (chunks, true),
            Next::Broken => return,
        };
        if io.write_all(&chunks).await.is_err() {
            return;
        }
        if is_last {
            // How it ends is the client's business.
            let _ = io.shutdown().await;
            return;
        }
    }
}

/// All that the body has at the moment. While that is nothing, what the client sends is thrown away.
fn poll_chunks<S: AsyncRead + Unpin>(
    mut body: Pin<&mut ResponseBody>,
    io: &mut S,
    discarded: &mut usize,
    context: &mut Context<'_>,
) -> Poll<Next> {
    let mut chunks = Vec::new();
    loop {
        match body.as_mut().poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    append(&mut chunks, &data);
                }
                if chunks.len() >= CHUNKS {
                    return Poll::Ready(Next::Chunks(chunks));
                }
            }
            Poll::Ready(Some(Err(_))) => return Poll::Ready(Next::Broken),
            Poll::Ready(None) => {
                chunks.extend_from_slice(b"0\r\n\r\n");
                return Poll::Ready(Next::End(chunks));
            }
            Poll::Pending if chunks.is_empty() => {
                return poll_gone(io, discarded, context).map(|()| Next::Broken);
            }
            Poll::Pending => return Poll::Ready(Next::Chunks(chunks)),
        }
    }
}

fn append(chunks: &mut Vec<u8>, data: &[u8]) {
    // An empty chunk would be the last one.
    if data.is_empty() {
        return;
    }
    chunks.reserve(data.len() + 20);
    // A vector takes whatever there is memory for.
    let _ = write!(chunks, "{:x}\r\n", data.len());
    chunks.extend_from_slice(data);
    chunks.extend_from_slice(b"\r\n");
}

/// Reads and throws away, until the client has gone.
fn poll_gone<S: AsyncRead + Unpin>(io: &mut S, discarded: &mut usize, context: &mut Context<'_>) -> Poll<()> {
    let mut bytes = [0; 512];
    while *discarded < DISCARDED {
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut *io).poll_read(context, &mut buffer));
        if read.is_err() || buffer.filled().is_empty() {
            return Poll::Ready(());
        }
        *discarded += buffer.filled().len();
    }
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_as_long_as_they_say_and_none_is_empty() {
        let mut chunks = Vec::new();
        for data in [&b"a"[..], b"", &[b'x'; 300]] {
            append(&mut chunks, data);
        }
        let expected = format!("1\r\na\r\n12c\r\n{}\r\n", "x".repeat(300));
        assert_eq!(String::from_utf8(chunks).unwrap(), expected);
    }
}
