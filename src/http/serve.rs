//! Serving on a socket until told to stop.

use std::io;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::App;

/// How long requests may take to end once the replies that they wait for have, or were given up.
const GRACE: Duration = Duration::from_secs(3);

/// Serves `app` on `listener` until `shutdown`; then accepts nothing more, and gives replies and requests in flight
/// `drain` to end.
///
/// # Errors
/// If the listener breaks.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
    drain: Duration,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Answers are written whole: waiting for more only delays them.
        let _ = stream.set_nodelay(true);
    });
    let server =
        axum::serve(listener, app.router()).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let mut server = tokio::spawn(async move { server.await });
    let result = tokio::select! {
        result = &mut server => Some(result),
        () = shutdown.cancelled() => None,
    };
    app.0.replies.drain(drain).await;
    let result = match result {
        Some(result) => result,
        None => timeout(GRACE, &mut server).await.unwrap_or_else(|_| {
            server.abort();
            Ok(Ok(()))
        }),
    };
    app.0.database.close().await;
    result.map_err(io::Error::other)?
}
