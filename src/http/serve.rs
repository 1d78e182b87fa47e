//! Serving on a socket until told to stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::App;
use super::connection::{self, Peer};

/// How long requests may take to end once the replies that they wait for have, or were given up.
const GRACE: Duration = Duration::from_secs(3);

/// How long readers are left to see the end of replies that have just ended.
const SETTLE: Duration = Duration::from_millis(300);

/// How long to wait when the system has no more file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(200);

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
    let graceful = accept(&app, listener, &shutdown).await;
    let streams = &app.0.streams;
    streams.stopping.cancel();
    streams.tracker.close();
    let connections = tokio::spawn(graceful.shutdown());
    app.0.replies.drain(drain).await;
    if !streams.tracker.is_empty() {
        sleep(SETTLE).await;
    }
    streams.closing.cancel();
    let all = async {
        streams.tracker.wait().await;
        let _ = connections.await;
    };
    let _ = timeout(GRACE, all).await;
    app.0.database.close().await;
    Ok(())
}

/// Accepts connections until `shutdown`. At the limit, more of them wait in the listener's queue.
async fn accept(app: &App, listener: TcpListener, shutdown: &CancellationToken) -> GracefulShutdown {
    let limits = &app.0.options.limits;
    let (router, builder) = (app.router(), connection::builder(limits));
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, address)| (stream, address, place))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = shutdown.cancelled() => return graceful,
        };
        match accepted {
            Ok((stream, address, place)) => {
                let peer = Peer { address, arrived: Arc::new(Notify::new()), _place: Arc::new(place) };
                let serving = connection::serve(
                    builder.clone(),
                    stream,
                    peer,
                    router.clone(),
                    limits.clone(),
                    graceful.watcher(),
                );
                tokio::spawn(serving);
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
