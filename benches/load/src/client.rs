//! Connections of HTTP/1.1, and the events that come on them.

use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Outcome;

/// A connection to a server.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// Connects to `http://HOST:PORT`.
    pub async fn open(url: &str) -> Outcome<Self> {
        let socket = TcpStream::connect(url.trim_start_matches("http://")).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        tokio::spawn(async move { _ = connection.await });
        Ok(Self(sender))
    }

    /// Sends a request; returns the answer, whose body is yet to come.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Outcome<Response<Incoming>> {
        self.0.ready().await?;
        Ok(self.0.send_request(request).await?)
    }

    /// Sends a GraphQL mutation or query; returns its answer.
    pub async fn ask(&mut self, token: &str, document: &Value) -> Outcome<Value> {
        let answer = self.send(graphql(token, document, "application/json")?).await?;
        Ok(serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?)
    }

    /// Begins a GraphQL subscription.
    pub async fn subscribe(&mut self, token: &str, document: &Value) -> Outcome<Events> {
        let answer = self.send(graphql(token, document, "text/event-stream")?).await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("a subscription was refused: {}", answer.status()).into());
        }
        Ok(Events { body: answer.into_body(), buffer: Vec::new() })
    }
}

fn graphql(token: &str, document: &Value, accept: &str) -> Outcome<Request<Full<Bytes>>> {
    Ok(Request::post("/graphql")
        .header(HOST, "localhost")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, accept)
        .body(Full::from(document.to_string()))?)
}

/// The events of a subscription.
pub struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event's `data`; `None` at the end of the stream.
    pub async fn next(&mut self) -> Outcome<Option<Value>> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let data = block.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"));
                if let Some(data) = data.filter(|data| !data.trim_ascii().is_empty()) {
                    return Ok(Some(serde_json::from_slice(data)?));
                }
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                None => return Ok(None),
            }
        }
    }
}

/// Microseconds since 1970.
pub fn now() -> u64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(age.as_micros()).unwrap_or(u64::MAX)
}

/// A percentile of sorted values, in milliseconds.
pub fn percentile(sorted: &[u64], percent: usize) -> f64 {
    sorted.get((sorted.len().saturating_sub(1)) * percent / 100).map_or(0.0, |micros| *micros as f64 / 1000.0)
}
