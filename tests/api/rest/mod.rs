//! Chat without GraphQL: the same rows, and a status for each way that it can end.

mod chat;
mod lists;
mod streams;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::Client;

/// Posts `body` as the user `ann`, and returns the status and the body.
async fn post(client: &Client, body: &Value) -> (StatusCode, Value) {
    read(client.post("/api/ann/chat").json(body).send().await.unwrap()).await
}

/// As [`post`], under an idempotency key.
async fn post_with_key(client: &Client, message: &str, key: &[u8]) -> (StatusCode, Value) {
    let request = client.post("/api/ann/chat").json(&json!({ "message": message }));
    read(request.header("Idempotency-Key", key).send().await.unwrap()).await
}

async fn get(client: &Client, path: &str) -> (StatusCode, Value) {
    read(client.get(path).send().await.unwrap()).await
}

async fn read(response: Response) -> (StatusCode, Value) {
    assert_eq!(response.headers()["content-type"], "application/json");
    (response.status(), response.json().await.unwrap())
}

/// A refusal has a code for programs and a sentence for people.
#[track_caller]
fn assert_refused((status, body): &(StatusCode, Value), expected: u16, code: &str) {
    assert_eq!(*status, expected, "{body}");
    assert_eq!(body["errors"][0]["extensions"]["code"], code, "{body}");
    let message = body["errors"][0]["message"].as_str().unwrap();
    assert!(message.ends_with('.') && message.contains(' '), "{message}");
    assert_eq!(body["detail"], message, "{body}");
}
