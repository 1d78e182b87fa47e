//! What is answered until the database is ready for the first time.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{health, problem};
use crate::error::Code;

/// How many connections there may be; more wait in the listener's queue.
const CONNECTIONS: usize = 256;

/// How long one of them may last. It is for one request.
const CONNECTION_TIME: Duration = Duration::from_secs(5);

/// How long to wait when a connection cannot be accepted.
const PAUSE: Duration = Duration::from_millis(200);

/// Waits for `ready`, and meanwhile answers on `listener`: `/healthz` that the server is alive, anything else that it
/// cannot serve yet.
pub async fn answer_until<T>(listener: &TcpListener, ready: impl Future<Output = T>) -> T {
    let router = Router::new().route("/healthz", get(health::alive)).fallback(unready);
    let mut connections = JoinSet::new();
    let mut ready = pin!(ready);
    loop {
        tokio::select! {
            value = &mut ready => {
                // Each ends by itself, with its answer.
                connections.detach_all();
                return value;
            }
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(timeout(CONNECTION_TIME, serve(stream, router.clone())));
                }
                Err(_) => sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).keep_alive(false);
    // How it ends is the client's business.
    let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

async fn unready() -> Response {
    let message = "The server is waiting for its database; retry shortly.";
    problem::retry(Code::Unavailable, message, 1)
}
