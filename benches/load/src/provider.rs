//! An OpenAI-compatible provider whose words are the times at which it wrote them, in hexadecimal microseconds.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

use crate::Outcome;
use crate::client::now;

/// Listens until the process ends.
pub async fn start(port: u16) -> Outcome<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let listener = listener.tap_io(|socket| _ = socket.set_nodelay(true));
    let router = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Writes as many words, and as many a second, as the user's last message says: `250 50`.
async fn complete(Json(request): Json<Value>) -> Response {
    let turns = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said = turns.iter().rev().find(|turn| turn["role"] == "user").map(|turn| &turn["content"]);
    let mut numbers = said.and_then(Value::as_str).unwrap_or_default().split(' ').map(str::parse::<u32>);
    let (Some(Ok(words)), Some(Ok(rate))) = (numbers.next(), numbers.next()) else {
        return axum::http::StatusCode::BAD_REQUEST.into_response();
    };
    let (begun, pause) = (Instant::now(), Duration::from_secs(1) / rate);
    let chunks = stream::unfold(0, move |word| async move {
        if word > words {
            return None;
        }
        sleep_until(begun + pause * word).await;
        let choice = if word < words {
            json!({ "index": 0, "delta": { "content": format!("{:x} ", now()) }, "finish_reason": null })
        } else {
            json!({ "index": 0, "delta": {}, "finish_reason": "stop" })
        };
        let chunk = json!({ "object": "chat.completion.chunk", "model": "clock", "choices": [choice] });
        let end = if word < words { "" } else { "data: [DONE]\n\n" };
        Some((Ok::<_, Infallible>(Bytes::from(format!("data: {chunk}\n\n{end}"))), word + 1))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(chunks)).into_response()
}
