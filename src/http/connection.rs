//! One connection of a client.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;
use tower::Layer;

use super::limits::Limits;

/// How many requests one HTTP/2 connection may have in hand.
const HTTP2_STREAMS: u32 = 100;

/// Who is at the other end. Each request brings it along.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Told when the first request has arrived.
    pub(super) arrived: Arc<Notify>,
    /// The connection's place among all. A socket holds it for as long as it lives.
    pub(super) _place: Arc<OwnedSemaphorePermit>,
}

/// How connections are served. A head that does not come in time ends its connection.
pub(super) fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle_time);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive)
        .max_concurrent_streams(HTTP2_STREAMS);
    builder
}

/// Serves a connection until it ends. A client that reads nothing holds nothing for ever.
pub(super) async fn serve(
    builder: Builder<TokioExecutor>,
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: Limits,
    watcher: Watcher,
) {
    // Answers are written whole: waiting for more only delays them.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_time));
    let arrived = peer.arrived.clone();
    let service = TowerToHyperService::new(Extension(peer).layer(router));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service);
    let mut connection = std::pin::pin!(watcher.watch(connection));
    tokio::select! {
        _ = &mut connection => {}
        () = arrived.notified() => {
            // How it ends is the client's business: most of them just go.
            let _ = connection.await;
        }
        // Nothing else bounds the time until it is clear which version of HTTP is spoken.
        () = sleep(limits.idle_time) => {}
    }
}
