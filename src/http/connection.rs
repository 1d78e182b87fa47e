//! One connection of a client.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Method, StatusCode, Version};
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_io_timeout::TimeoutStream;
use tower::{Service, service_fn};

use super::App;
use super::activity::{Activity, RequestBody, ResponseBody};
use super::hijack::{self, Handover, Lent};
use super::linger::Lingering;
use super::stream_body::Streamed;
use crate::admission::Limits;
use crate::admission::Principal;
use crate::concurrency::Permit;

/// How many requests one HTTP/2 connection may have in flight.
const HTTP2_STREAMS: u32 = 100;

/// How many bytes the head of a request may have on HTTP/1, and how many of a body are read at a time.
const BUFFER: usize = 64 * 1024;

/// How long a connection that was told to end, and has no request in flight, may take to do so.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// How many bytes of a body that nobody reads may be left for the connection to go on: so many come with the head.
const SMALL_REST: u64 = 4 * 1024;

/// Who is at the other end. Each request brings it along.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// The connection's permit among all. A socket holds it for as long as it lives.
    pub(super) _permit: Arc<ConnectionPermits>,
}

/// A connection's permit among all, and among those of its address.
#[derive(Debug)]
pub(super) struct ConnectionPermits {
    pub(super) _among_all: OwnedSemaphorePermit,
    /// `None` for a proxy's, which may have any number.
    pub(super) _of_address: Option<Permit>,
}

/// How connections are served. A head that does not come in time ends its connection.
pub(super) fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive)
        .max_concurrent_streams(HTTP2_STREAMS);
    builder
}

/// Serves a connection until it ends. One that has no request in flight for long is told to end, and so are all when the
/// server stops. A client that reads nothing holds nothing for ever. `principal` is at the other end, unless it is a proxy.
pub(super) async fn serve(
    app: App,
    builder: Builder<TokioExecutor>,
    router: Router,
    stream: TcpStream,
    peer: Peer,
    principal: Option<Principal>,
) {
    let limits = &app.0.options.limits;
    let stopping = &app.0.streams.stopping;
    // Answers are written whole: waiting for more only delays them.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    let activity = Activity::new();
    let stream =
        Lingering::new(Box::pin(stream), activity.clone(), app.0.admission.permits.clone(), principal);
    let handover = Handover::new();
    let service = service_fn({
        let (peer, activity, handover) = (peer.clone(), activity.clone(), handover.clone());
        move |request| answer(router.clone(), peer.clone(), activity.clone(), handover.clone(), request)
    });
    let service = TowerToHyperService::new(service);
    let stream = TokioIo::new(Lent::new(stream, handover.clone()));
    // Boxed, as a stream goes on without it.
    let mut connection = Box::pin(builder.serve_connection_with_upgrades(stream, service));
    let mut limit = limits.idle_timeout;
    let mut is_closing = false;
    let body = loop {
        let served = poll_fn(|context| match connection.as_mut().poll(context) {
            // How it ends is the client's business: most of them just go.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => handover.take_body().map_or(Poll::Pending, |body| Poll::Ready(Some(body))),
        });
        tokio::select! {
            body = served => match body {
                Some(body) => break body,
                None => return,
            },
            () = activity.stalled(limits.write_timeout) => return,
            () = activity.idle(limit) => if is_closing { return },
            () = stopping.cancelled(), if !is_closing => {}
        }
        is_closing = true;
        limit = CLOSE_TIME;
        activity.touch();
        connection.as_mut().graceful_shutdown();
    };
    drop(connection);
    let stream = handover.take_io();
    drop((handover, activity));
    if let Some(stream) = stream {
        hijack::send(stream, body).await;
    }
    drop(peer);
}

/// Answers a request. If nobody read its body, the client is told that the connection ends.
async fn answer<S: Send + 'static>(
    mut router: Router,
    peer: Peer,
    activity: Activity,
    handover: Handover<S>,
    request: Request<impl HttpBody<Data = bytes::Bytes, Error: Into<axum::BoxError>> + Send + 'static>,
) -> Result<Response, Infallible> {
    let is_multiplexed = request.version() == Version::HTTP_2;
    let work = activity.begin(is_multiplexed);
    let is_small = request.body().size_hint().upper().is_some_and(|bytes| bytes <= SMALL_REST);
    let (head, body) = request.into_parts();
    let may_be_hijacked = head.version == Version::HTTP_11 && head.method != Method::HEAD;
    let (body, is_read) = RequestBody::new(Body::new(body), &activity);
    let mut request = Request::from_parts(head, Body::new(body));
    request.extensions_mut().insert(peer);
    let mut response = router.call(request).await?;
    let is_read_whole = is_read.load(Ordering::Relaxed);
    if may_be_hijacked && is_read_whole && response.extensions_mut().remove::<Streamed>().is_some() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return Ok(response.map(|body| Body::new(handover.offer(ResponseBody::new(body, work)))));
    }
    let is_read = is_small || is_multiplexed || is_read_whole;
    if !is_read && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Body::new(ResponseBody::new(body, work))))
}
