//! Requesting a reply and following it, in one subscription.

mod admission;
mod events;
mod repeats;

use std::time::Duration;

use causerie::reply;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::http::{APOLLO, Socket, Way, parts};
use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer};

const EVENTS: &str = "__typename
  ... on ReplyRequested { cursor conversation { id } message { id content } reply { id status parent { id } } }
  ... on ReplyStarted { cursor attempt }
  ... on ReplyText { cursor text }
  ... on ReplyRestarted { cursor attempt }
  ... on ReplyEnded { cursor message: reply { id status content } }";

/// The subscription of the mutation `field`.
fn subscription(field: &str) -> String {
    let (first, rest) = field.split_at(1);
    let input = format!("{}{rest}Input", first.to_uppercase());
    format!(
        "subscription($input: {input}!, $after: String) {{ {field}(input: $input, after: $after) {{ {EVENTS} }} }}"
    )
}

/// All that a client is told of a subscription that ends by itself.
async fn all(client: &Client, way: Way, field: &str, input: &Value, after: Option<&str>) -> Vec<Value> {
    let fields = json!({ "query": subscription(field), "variables": { "input": input, "after": after } });
    let answers = timeout(Duration::from_secs(30), answers(client, way, &fields));
    let mut answers = answers.await.expect("the stream does not end");
    let events = answers.iter_mut().map(|answer| match answer.get("errors") {
        Some(errors) => json!({ "error": errors[0]["extensions"] }),
        None => answer["data"][field].take(),
    });
    events.collect()
}

async fn answers(client: &Client, way: Way, fields: &Value) -> Vec<Value> {
    let post = |accept| client.post("/graphql").header("accept", accept).json(fields).send();
    match way {
        Way::Parts => {
            let text = post(APOLLO).await.unwrap().text().await.unwrap();
            parts(&text).into_iter().map(|mut part| part["payload"].take()).collect()
        }
        Way::Socket => {
            let mut messages = Socket::signed_in(client).await.ask("1", fields).await;
            assert_eq!(messages.pop().unwrap()["type"], "complete");
            messages.into_iter().map(|mut message| message["payload"].take()).collect()
        }
        _ => {
            let text = post("text/event-stream").await.unwrap().text().await.unwrap();
            assert!(text.ends_with("event: complete\ndata: \n\n"), "{text}");
            let lines = text.lines().filter_map(|line| line.strip_prefix("data: {"));
            lines.map(|data| serde_json::from_str(&format!("{{{data}")).unwrap()).collect()
        }
    }
}

/// The kinds of these events.
fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["__typename"].as_str().unwrap_or("an error")).collect()
}

/// The texts since the last restart.
fn text(events: &[Value]) -> String {
    let last = events.iter().rposition(|event| event["__typename"] == "ReplyRestarted").unwrap_or(0);
    events[last..].iter().filter_map(|event| event["text"].as_str()).collect()
}

/// Two servers on one database, and what tells their assistants what to say.
async fn two_servers(database: &TestDatabase) -> [(TestServer, ScriptedAssistant); 2] {
    let start = async || {
        let (assistant, script) = ScriptedAssistant::new();
        let replies = reply::Options { checkpoint: Duration::from_millis(20), ..Settings::default().replies };
        let settings = Settings { assistant, replies, ..Settings::default() };
        (TestServer::with(database, settings).await, script)
    };
    [start().await, start().await]
}
