//! An issuer's web server that publishes a key set, well or badly.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use url::Url;

/// What the issuer answers.
#[derive(Clone)]
pub(super) enum Answer {
    Keys(Value),
    Text(&'static str),
    Status(StatusCode),
    /// A key set under a status that says it is none.
    Failed(StatusCode, Value),
    Redirect(Url),
    /// The keys, preceded by so many spaces, sent without a length.
    Padded(usize, Value),
    /// Never anything.
    Silence,
    /// The first bytes, then nothing.
    Trickle,
    /// The keys, once [`Issuer::open`] has been called.
    Gated(Value),
}

/// What should take no time to happen; a test that waits for ever says less than one that fails.
pub(super) async fn soon<F: Future>(event: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), event).await.expect("it happens within 10 s")
}

struct Shared {
    answer: Mutex<Answer>,
    requests: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

pub(super) struct Issuer {
    pub(super) url: Url,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Issuer {
    pub(super) async fn start(answer: Answer) -> Self {
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            requests: watch::Sender::new(0),
            open: watch::Sender::new(false),
        });
        let router = Router::new().route("/jwks", get(serve)).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/jwks", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, server }
    }

    pub(super) fn set(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> usize {
        *self.shared.requests.borrow()
    }

    /// Returns once `count` requests have come.
    pub(super) async fn asked(&self, count: usize) {
        let mut requests = self.shared.requests.subscribe();
        soon(requests.wait_for(|requests| *requests >= count)).await.unwrap();
    }

    /// Lets gated answers go.
    pub(super) fn open(&self) {
        self.shared.open.send_replace(true);
    }

    /// Ends the server: connections are refused from now on.
    pub(super) async fn stop(&mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }
}

async fn serve(State(shared): State<Arc<Shared>>) -> Response {
    shared.requests.send_modify(|requests| *requests += 1);
    let answer = shared.answer.lock().unwrap().clone();
    match answer {
        Answer::Keys(keys) => axum::Json(keys).into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::Failed(status, keys) => (status, axum::Json(keys)).into_response(),
        Answer::Redirect(url) => (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response(),
        Answer::Padded(spaces, keys) => {
            let padding = " ".repeat(spaces).into_bytes();
            let parts: Vec<Bytes> = padding.chunks(64 * 1024).map(Bytes::copy_from_slice).collect();
            let parts = stream::iter(parts).chain(stream::iter([Bytes::from(keys.to_string())]));
            Body::from_stream(parts.map(Ok::<_, std::io::Error>)).into_response()
        }
        Answer::Silence => std::future::pending().await,
        Answer::Trickle => {
            let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{\"keys\":"))]);
            Body::from_stream(first.chain(stream::pending())).into_response()
        }
        Answer::Gated(keys) => {
            shared.open.subscribe().wait_for(|open| *open).await.unwrap();
            axum::Json(keys).into_response()
        }
    }
}
