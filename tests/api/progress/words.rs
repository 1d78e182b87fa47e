//! A reader on another server has the words of a reply before they are stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use causerie::assistant::{Delta, ToolCall};
use causerie::reply;
use causerie::signal::{Channel, Hub, Listener, Signals, Subscription, Topic};
use serde_json::{Value, json};

use crate::support::{
    Client, Events, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases,
};

const PROGRESS: &str = "subscription($id: ID!, $after: String) { replyProgress(messageId: $id, after: $after) {
  ... on ReplyText { cursor text } ... on ReplyReasoning { cursor text } ... on ReplyToolCall { toolCall { name } }
  ... on ReplyRestarted { attempt } ... on ReplyEnded { reply { status content } } } }";

/// A server that stores nothing of a reply before its end.
async fn server(
    database: &TestDatabase,
    signals: Option<Arc<dyn Signals>>,
) -> (TestServer, ScriptedAssistant) {
    let hour = Duration::from_hours(1);
    let (assistant, script) = ScriptedAssistant::new();
    let replies = reply::Options { lease: 4 * hour, checkpoint: hour, ..reply::Options::default() };
    (
        TestServer::with(database, Settings { assistant, replies, signals, ..Settings::default() }).await,
        script,
    )
}

/// Two servers that hear of each other.
async fn servers(database: &TestDatabase) -> [(TestServer, ScriptedAssistant); 2] {
    // On PostgreSQL they do by it.
    let hub = (!database.is_postgres()).then(|| Arc::new(Hub::default()) as Arc<dyn Signals>);
    [server(database, hub.clone()).await, server(database, hub).await]
}

async fn follow(client: &Client, id: &Value, after: &Value) -> Events {
    client.subscribe(PROGRESS, json!({ "id": id, "after": after })).await
}

/// Reads until `text` has come, and returns the last cursor.
async fn until(events: &mut Events, text: &str) -> Value {
    let (mut so_far, mut cursor) = (String::new(), Value::Null);
    while so_far != text {
        assert!(text.starts_with(&so_far), "{so_far:?} of {text:?}");
        let mut event = events.progress().await;
        so_far += event["text"].as_str().unwrap_or_default();
        cursor = event["cursor"].take();
    }
    cursor
}

on_both_databases! {
    async fn words_come_from_the_server_that_writes_them_before_they_are_stored(database) {
        let [(here, script), (there, _idle)] = servers(&database).await;
        let (ann, away, eve) = (here.user("ann"), there.user("ann"), there.user("eve"));
        let sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let id = &sent["reply"]["id"];
        let attempt = script.next().await;
        attempt.say("Before");
        let mut reader = follow(&away, id, &Value::Null).await;
        let cursor = until(&mut reader, "Before").await;
        let request = eve.post("/graphql").header("accept", "text/event-stream");
        let foreign = request.json(&json!({ "query": PROGRESS, "variables": { "id": id } })).send().await.unwrap();
        assert!(foreign.text().await.unwrap().contains("NOT_FOUND"));
        attempt.say(" \"one\"\n");
        until(&mut reader, " \"one\"\n").await;
        attempt.reason("hm");
        until(&mut reader, "hm").await;
        let (call_id, name) = ("call_0".to_owned(), "clock".to_owned());
        attempt.send(Ok(Delta::ToolCall(ToolCall { call_id, name, arguments: "{}".to_owned() })));
        assert_eq!(reader.progress().await["toolCall"]["name"], "clock");
        attempt.say("\u{1f642}");
        until(&mut reader, "\u{1f642}").await;
        // One that comes later and has a part of it has the rest.
        let mut late = follow(&away, id, &cursor).await;
        until(&mut late, " \"one\"\nhm").await;
        let stored = "SELECT CAST(count(*) AS BIGINT) FROM message WHERE content <> '' AND role = 'ASSISTANT'";
        assert_eq!(database.number(stored).await, 0);
        attempt.finish();
        for reader in [&mut reader, &mut late] {
            let end = loop {
                let mut event = reader.progress().await;
                assert!(event["attempt"].is_null());
                if !event["reply"].is_null() {
                    break event["reply"].take();
                }
            };
            assert_eq!(end, json!({ "status": "COMPLETE", "content": "Before \"one\"\n\u{1f642}" }));
        }
    }

    async fn words_that_are_lost_are_asked_for_again(database) {
        let signals: Arc<dyn Signals> = Arc::new(Forgetful::default());
        let (here, script) = server(&database, Some(signals.clone())).await;
        let (there, _idle) = server(&database, Some(signals)).await;
        let (ann, away) = (here.user("ann"), there.user("ann"));
        let sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        let mut reader = follow(&away, &sent["reply"]["id"], &Value::Null).await;
        for _ in 0..3 {
            for word in ["one ", "two ", "three "] {
                attempt.say(word);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // The last one is published again once a second.
            until(&mut reader, "one two three ").await;
        }
    }

    async fn nothing_is_published_that_nobody_reads_elsewhere(database) {
        let signals = Arc::new(Forgetful::default());
        let (here, script) = server(&database, Some(signals.clone())).await;
        let ann = here.user("ann");
        let sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        let mut reader = follow(&ann, &sent["reply"]["id"], &Value::Null).await;
        for word in ["One ", "two ", "three "] {
            attempt.say(word);
            until(&mut reader, word).await;
        }
        attempt.finish();
        reader.progress().await;
        assert_eq!(signals.published.load(Ordering::Relaxed), 0);
    }
}

/// Loses every other text with words.
#[derive(Debug, Default)]
struct Forgetful {
    hub: Hub,
    published: AtomicU64,
    words: AtomicU64,
}

impl Signals for Forgetful {
    fn send(&self, topic: Topic) {
        self.hub.send(topic);
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }

    fn publish(&self, channel: Channel, text: String) {
        self.published.fetch_add(1, Ordering::Relaxed);
        let is_words = matches!(channel, Channel::Words(_));
        if !is_words || self.words.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            self.hub.publish(channel, text);
        }
    }

    fn subscribe(&self, channel: Channel) -> Subscription {
        self.hub.subscribe(channel)
    }
}
