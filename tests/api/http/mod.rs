//! Transports: what they promise beyond what the npm suites in `tests/clients` ask, and every limit, at it and
//! just over it.

mod admission;
mod bodies;
mod bounds;
mod connections;
mod documents;
mod early;
mod expiry;
mod frames;
mod heads;
mod memory;
mod multipart;
mod rates;
mod shutdown;
mod sizes;
mod slow_reader;
mod socket;
mod streams;
mod values;
mod ways;
mod wire;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use causerie::admission::Limits;
use causerie::http::Options;
use chrono::Utc;
use ring::hmac;
use serde_json::{Value, json};

use self::socket::Frame;
pub use self::socket::Socket;
pub use self::ways::{APOLLO, PARTS, Way, Ways, parts};
use crate::support::{Client, SECRET, Settings, TestDatabase, TestServer};

/// How long anything may take that is certain to come.
const PATIENCE: Duration = Duration::from_secs(20);

const QUERY: &str = "{ viewer { id } }";
const FOREVER: &str = "subscription { changes { __typename } }";

/// A server with these limits.
async fn limited(database: &TestDatabase, limits: Limits) -> TestServer {
    with_options(database, Options { limits, ..Options::default() }).await
}

async fn with_options(database: &TestDatabase, options: Options) -> TestServer {
    TestServer::with(database, Settings { http: options, ..Settings::default() }).await
}

/// A POST that asks for a stream of events.
async fn stream(client: &Client, query: &str) -> reqwest::Response {
    let request = client.post("/graphql").header("accept", "text/event-stream");
    request.json(&json!({ "query": query })).send().await.unwrap()
}

/// Reads a stream until its text has `what`.
async fn read_until(response: &mut reqwest::Response, what: &str) -> String {
    let mut text = String::new();
    while !text.contains(what) {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await;
        let chunk = chunk.expect("nothing comes").unwrap();
        text += std::str::from_utf8(&chunk.unwrap_or_else(|| panic!("the stream ended: {text}"))).unwrap();
    }
    text
}

fn code(message: &Value) -> &str {
    message["payload"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// A token of `user` that is accepted for `left` from now.
fn token_for(user: &str, left: Duration) -> String {
    let until = Utc::now() + left - causerie::auth::LEEWAY;
    let exp = f64::from(u32::try_from(until.timestamp()).unwrap())
        + f64::from(until.timestamp_subsec_millis()) / 1000.0;
    let claims = json!({ "sub": user, "exp": exp });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({ "alg": "HS256" })), encode(&claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}
