//! A subscription by server-sent events.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Client;

/// How long a stream may be silent, pings included.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running subscription. Dropping it ends it.
pub struct Events {
    response: Response,
    buffer: String,
    /// The beginning of a character, of which the rest has not come.
    held: Vec<u8>,
}

impl Client {
    /// Begins a subscription.
    pub async fn subscribe(&self, query: &str, variables: Value) -> Events {
        let body = json!({ "query": query, "variables": variables });
        let request = self.post("/graphql").header(ACCEPT, "text/event-stream").json(&body);
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        Events { response, buffer: String::new(), held: Vec::new() }
    }
}

impl Events {
    /// The next event of `replyProgress` of which anything is selected.
    pub async fn progress(&mut self) -> Value {
        loop {
            let event = self.next().await.expect("the stream goes on")["replyProgress"].take();
            if event != json!({}) {
                return event;
            }
        }
    }

    /// The next event's data, which must come without errors; `None` once the stream is complete or has broken off.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
                match field("event: ") {
                    Some("next") => {
                        let mut body: Value = serde_json::from_str(field("data: ")?).unwrap();
                        assert_eq!(body.get("errors"), None, "no errors were expected");
                        return Some(body["data"].take());
                    }
                    Some(_) => return None,
                    None => {}
                }
            }
            let chunk =
                timeout(PATIENCE, self.response.chunk()).await.expect("a stream is not silent for ever");
            self.held.extend(chunk.ok()??);
            let whole = match std::str::from_utf8(&self.held) {
                Ok(_) => self.held.len(),
                Err(error) => error.valid_up_to(),
            };
            let rest = self.held.split_off(whole);
            self.buffer += std::str::from_utf8(&std::mem::replace(&mut self.held, rest)).unwrap();
        }
    }
}
