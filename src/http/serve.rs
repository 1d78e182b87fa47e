//! Serving on a socket until told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::App;
use super::address::TrustedProxy;
use super::connection::{self, ConnectionPermits, Peer};
use crate::admission::{LimitExceeded, Principal};

/// How long streams, and requests whose time is over, may take to end once the replies that they wait for have, or were
/// given up.
const GRACE: Duration = Duration::from_secs(3);

/// How long readers are left to see the end of replies that have just ended.
const LAST_EVENT_PAUSE: Duration = Duration::from_millis(300);

/// How often the log says that connections were closed at the limit of their address, or cannot be accepted.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// How long to wait when the system has no more file descriptors.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Serves `app` on `listener` until `shutdown`; then accepts nothing more, gives replies and requests in flight
/// `drain` to end, and closes streams and sockets after their last event.
///
/// # Errors
/// None while it accepts: a connection that breaks off is no fault of the listener's.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
    drain: Duration,
) -> io::Result<()> {
    let connections = accept(&app, listener, &shutdown).await;
    let deadline = Instant::now() + drain;
    let streams = &app.0.streams;
    streams.stopping.cancel();
    streams.tracker.close();
    connections.close();
    app.0.replies.drain(drain).await;
    if !streams.tracker.is_empty() {
        sleep(LAST_EVENT_PAUSE).await;
    }
    streams.closing.cancel();
    let end = Instant::now() + GRACE;
    let _ = timeout_at(end, streams.tracker.wait()).await;
    // Requests may still be arriving.
    let _ = timeout_at(deadline.max(end), connections.wait()).await;
    app.0.database.close().await;
    // Writes that ended after the replies did have signals too.
    app.0.replies.flush_signals().await;
    Ok(())
}

/// Accepts connections until `shutdown`, and returns those that are open. At the limit, more of them wait in the
/// listener's queue; at the limit of their address, they are closed.
async fn accept(app: &App, listener: TcpListener, shutdown: &CancellationToken) -> TaskTracker {
    let limits = &app.0.options.limits;
    let (router, builder) = (app.router(), connection::builder(limits));
    let permits = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let mut refused = RefusedConnections::default();
    let mut exhausted: Option<Instant> = None;
    let serve = |stream: TcpStream, address: SocketAddr, among_all: OwnedSemaphorePermit| {
        let is_proxy = TrustedProxy::has(&app.0.options.trusted_proxies, address.ip());
        let principal = (!is_proxy).then(|| Principal::new(None, address.ip()));
        let connections_of = &app.0.admission.permits.connections;
        let of_address = principal.as_ref().map(|it| connections_of.acquire(it)).transpose()?;
        let permit = ConnectionPermits { _among_all: among_all, _of_address: of_address };
        let peer = Peer { address, _permit: Arc::new(permit) };
        connections.spawn(connection::serve(
            app.clone(),
            builder.clone(),
            router.clone(),
            stream,
            peer,
            principal,
        ));
        Ok::<_, LimitExceeded>(())
    };
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, address)| (stream, address, permit))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = shutdown.cancelled() => return connections,
        };
        match accepted {
            Ok((stream, address, permit)) => {
                if serve(stream, address, permit).is_err() {
                    refused.count();
                }
            }
            Err(error) if is_client_error(&error) => {}
            Err(error) => {
                if exhausted.is_none_or(|logged_at| logged_at.elapsed() > LOG_INTERVAL) {
                    tracing::error!(%error, "cannot accept connections");
                    exhausted = Some(Instant::now());
                }
                sleep(ACCEPT_RETRY_PAUSE).await;
            }
        }
    }
}

/// Connections that were closed as their address had too many.
#[derive(Default)]
struct RefusedConnections {
    since: usize,
    logged_at: Option<Instant>,
}

impl RefusedConnections {
    /// Counts one, and tells of them now and then.
    fn count(&mut self) {
        self.since += 1;
        if self.logged_at.is_none_or(|logged_at| logged_at.elapsed() > LOG_INTERVAL) {
            tracing::warn!(
                connections = self.since,
                "connections closed: their address has reached --max-address-connections"
            );
            *self = Self { since: 0, logged_at: Some(Instant::now()) };
        }
    }
}

fn is_client_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
