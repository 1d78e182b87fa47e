//! Who has used up the rate waits for large events, or is told so, and misses nothing of them.

use std::time::{Duration, Instant};

use causerie::admission::Limits;
use causerie::assistant::{Delta, ToolCall};
use causerie::http::Options;
use serde_json::{Value, json};

use super::stream::Stream;
use crate::http::Way;
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

/// How long a large text is: beyond the first 64 KiB it counts once in the rate for each 256 KiB.
const LARGE: usize = 1000 * 1024;

const REPLY: &str = "subscription($id: ID!) { replyProgress(messageId: $id) {
  __typename ... on ReplyText { text } ... on ReplyToolCall { toolCall { arguments } } } }";
const FEED: &str = "subscription($since: String) { changes(since: $since) {
  ... on MessageChanged { cursor message { content again: content } } } }";
const IDS: &str = "subscription($since: String) { changes(since: $since) {
  ... on MessageChanged { cursor message { id } } } }";

/// Settings with so many requests a second of a user, and ten times as many at once.
fn settings(user_rate: u32) -> Settings {
    let limits = Limits { user_rate, address_rate: 0, ..Limits::default() };
    let http = Options { limits, ..Options::default() };
    Settings { http, ..Settings::default() }
}

/// Sends requests until one is refused.
async fn use_up_the_rate(client: &Client) {
    let request = || client.post("/graphql").json(&json!({ "query": "{ __typename }" })).send();
    while request().await.unwrap().status() != 429 {}
}

on_both_databases! {
    async fn a_reply_waits_and_comes_whole(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..settings(4) }).await;
        for way in Way::STREAMS {
            let client = server.user(&format!("{way:?}"));
            let sent = client.send("Tell me", json!({ "awaitReply": false })).await;
            let mut events =
                Stream::subscribe(&client, way, REPLY, &json!({ "id": sent["reply"]["id"] })).await;
            assert_eq!(events.next().await.unwrap()["__typename"], "ReplyStarted");
            use_up_the_rate(&client).await;
            let began = Instant::now();
            let attempt = script.next().await;
            attempt.say("Let me see.");
            attempt.send(Ok(Delta::ToolCall(ToolCall {
                call_id: "call_0".to_owned(),
                name: "clock".to_owned(),
                arguments: "x".repeat(LARGE),
            })));
            attempt.say("Noon.");
            attempt.finish();
            let mut told = Vec::new();
            while let Some(event) = events.next().await {
                let text = event["text"].as_str().or(event["toolCall"]["arguments"].as_str());
                told.push((event["__typename"].as_str().unwrap().to_owned(), text.map_or(0, str::len)));
            }
            let told: Vec<_> = told.iter().map(|(kind, length)| (kind.as_str(), *length)).collect();
            let expected = [("ReplyText", 11), ("ReplyToolCall", LARGE), ("ReplyText", 5), ("ReplyEnded", 0)];
            assert_eq!(told, expected, "{way:?}");
            assert!(began.elapsed() > Duration::from_secs(1), "the rate has held up nothing");
        }
    }

    async fn a_feed_ends_before_the_change_that_is_refused(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let unlimited = Settings { assistant, message_chars: LARGE, ..Settings::default() };
        let writer = TestServer::with(&database, unlimited).await;
        // Ten at once are not enough to read the text, which counts four times, and to answer with it twice.
        let server = TestServer::with(&database, settings(1)).await;
        for way in Way::STREAMS {
            let client = server.user(&format!("{way:?}"));
            let mut ids = Vec::new();
            for content in ["small", &"x".repeat(LARGE), "small again"] {
                let at_writer = client.at(writer.url());
                let (sent, ()) = tokio::join!(at_writer.send(content, json!({})), async { script.next().await.finish() });
                ids.extend([sent["message"]["id"].clone(), sent["reply"]["id"].clone()]);
            }
            let mut events = Stream::subscribe(&client, way, FEED, &json!({})).await;
            let (mut since, mut seen) = (Value::Null, 0);
            let error = loop {
                match events.try_next().await.expect("a feed does not end by itself") {
                    Ok(event) if event == json!({}) => {}
                    Ok(event) => {
                        since = event["cursor"].clone();
                        seen += 1;
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!((seen, &error["code"]), (2, &json!("RATE_LIMITED")), "{way:?}");
            assert!(events.try_next().await.is_none(), "nothing comes after what was refused");
            let mut rest = Stream::subscribe(&client, way, IDS, &json!({ "since": since })).await;
            for id in &ids[2..] {
                let mut event = rest.next().await.unwrap();
                while event == json!({}) {
                    event = rest.next().await.unwrap();
                }
                assert_eq!(&event["message"]["id"], id, "{way:?}");
            }
        }
    }
}
