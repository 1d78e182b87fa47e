//! A reply as server-sent events.

use std::time::Duration;

use causerie::admission::Limits;
use causerie::http::Options;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{assert_refused, get, post_with_key, read};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

/// How long a stream may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request whose answer is a stream.
fn request(client: &Client, message: &str, key: &str) -> RequestBuilder {
    let request = client.post("/api/ann/chat").json(&json!({ "message": message }));
    request.header("accept", "text/event-stream").header("Idempotency-Key", key)
}

/// An event: its name, its id and its data.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

struct Stream {
    response: Response,
    buffer: String,
    /// How many comments have come.
    heartbeats: usize,
}

impl Stream {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        Self { response, buffer: String::new(), heartbeats: 0 }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
                if let Some(name) = field("event: ") {
                    return Some(Event {
                        name: name.to_owned(),
                        id: field("id: ").unwrap_or_default().to_owned(),
                        data: serde_json::from_str(field("data: ").unwrap()).unwrap(),
                    });
                }
                self.heartbeats += 1;
            }
            let chunk =
                timeout(PATIENCE, self.response.chunk()).await.expect("a stream is not silent for ever");
            self.buffer += std::str::from_utf8(&chunk.ok()??).expect("an event is sent whole");
        }
    }

    /// All events up to the end.
    async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// The texts of `events`, joined.
fn text(events: &[Event]) -> String {
    let texts = events.iter().filter(|event| event.name == "text");
    texts.map(|event| event.data["text"].as_str().unwrap()).collect()
}

async fn scripted(database: &crate::support::TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    (TestServer::with(database, Settings { assistant, ..Settings::default() }).await, script)
}

on_both_databases! {
    async fn a_reply_is_streamed_while_it_is_written(database) {
        let (server, script) = scripted(&database).await;
        let ann = server.user("ann");
        let mut stream = Stream::of(request(&ann, "hello", "once")).await;
        let requested = stream.next().await.unwrap();
        assert_eq!(requested.name, "requested");
        let attempt = script.next().await;
        attempt.say("Hello ");
        let started = stream.next().await.unwrap();
        assert_eq!((started.name.as_str(), &started.data), ("started", &json!({ "attempt": 1 })));
        let first = stream.next().await.unwrap();
        assert_eq!((first.name.as_str(), &first.data), ("text", &json!({ "text": "Hello " })));
        attempt.say("yourself.");
        attempt.finish();
        let rest = stream.rest().await;
        assert_eq!(text(&rest), "yourself.");
        let ended = rest.last().unwrap();
        assert_eq!(ended.name, "ended");
        // The end is what the same request is answered without a stream, and says what was stored, as the beginning does.
        assert_eq!(post_with_key(&ann, "hello", b"once").await.1, ended.data);
        for id in ["conversation_id", "message_id", "reply_id"] {
            assert_eq!(requested.data[id], ended.data[id]);
        }
        assert_eq!(ended.data["response"], "Hello yourself.");
        assert!([&requested, &started, &first, ended].iter().all(|event| !event.id.is_empty()));
    }

    async fn a_stream_that_broke_goes_on_after_any_of_its_events(database) {
        let (server, script) = scripted(&database).await;
        let ann = server.user("ann");
        let mut stream = Stream::of(request(&ann, "hello", "once")).await;
        let attempt = script.next().await;
        let mut seen = vec![stream.next().await.unwrap()];
        for word in ["One ", "two ", "three "] {
            attempt.say(word);
            while !text(&seen).ends_with(word) {
                seen.push(stream.next().await.unwrap());
            }
        }
        drop(stream);
        attempt.say("four.");
        attempt.finish();
        for read in 1..=seen.len() {
            let again = request(&ann, "hello", "once").header("Last-Event-ID", &seen[read - 1].id);
            let events = Stream::of(again).await.rest().await;
            assert_eq!(text(&seen[..read]) + &text(&events), "One two three four.", "{read}: {events:?}");
            assert!(!names(&events).contains(&"requested"), "{events:?}");
            assert_eq!(events.last().unwrap().name, "ended");
        }
        // Without the id it comes from the start.
        let events = Stream::of(request(&ann, "hello", "once")).await.rest().await;
        assert_eq!((events[0].name.as_str(), text(&events).as_str()), ("requested", "One two three four."));
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2, "nothing is stored twice");
    }

    async fn what_cannot_be_continued_is_refused_and_stores_nothing(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let first = Stream::of(request(&ann, "hello", "one")).await.rest().await;
        Stream::of(request(&ann, "hello", "two")).await.rest().await;
        let id = &first[0].id;
        let with_id = async |request: RequestBuilder, id: &str| {
            read(request.header("Last-Event-ID", id).send().await.unwrap()).await
        };
        assert_refused(&with_id(request(&ann, "hello", "two"), id).await, 422, "BAD_USER_INPUT");
        assert_refused(&with_id(request(&ann, "hello", "new"), id).await, 422, "BAD_USER_INPUT");
        assert_refused(&with_id(request(&ann, "hello", "one"), "nonsense").await, 422, "BAD_USER_INPUT");
        assert_refused(&with_id(request(&ann, "other", "one"), id).await, 409, "IDEMPOTENCY_MISMATCH");
        let without_key = ann.post("/api/ann/chat").json(&json!({ "message": "hello" }));
        let without_key = without_key.header("accept", "text/event-stream");
        assert_refused(&with_id(without_key, id).await, 422, "BAD_USER_INPUT");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 4);
    }

    async fn a_request_that_is_refused_is_no_stream(database) {
        let server = TestServer::start(&database).await;
        let refused = async |client: &Client, body: Value| {
            let request = client.post("/api/ann/chat").header("accept", "text/event-stream").json(&body);
            read(request.send().await.unwrap()).await
        };
        let ann = server.user("ann");
        assert_refused(&refused(&ann, json!({ "message": "" })).await, 422, "BAD_USER_INPUT");
        let missing = json!({ "message": "x", "conversation_id": uuid::Uuid::now_v7() });
        assert_refused(&refused(&ann, missing).await, 404, "NOT_FOUND");
        assert_refused(&refused(&server.user("bob"), json!({ "message": "x" })).await, 403, "FORBIDDEN");
        assert_refused(&refused(&server.anonymous(), json!({ "message": "x" })).await, 401, "UNAUTHENTICATED");
    }

    async fn a_reply_that_failed_ends_its_stream_and_is_begun_again_by_the_key(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let events = Stream::of(request(&ann, "/fail", "once")).await.rest().await;
        let ended = events.last().unwrap();
        assert_eq!((ended.name.as_str(), &ended.data["status"]), ("ended", &json!("FAILED")));
        assert_eq!(ended.data["errors"][0]["extensions"]["code"], "ASSISTANT_FAILED");
        assert_eq!(ended.data["response"], text(&events));
        // Who only continues to read sees the same end.
        let same = request(&ann, "/fail", "once").header("Last-Event-ID", &events[0].id);
        assert_eq!(Stream::of(same).await.rest().await.last().unwrap(), ended);
        let again = Stream::of(request(&ann, "/fail", "once")).await.rest().await;
        let attempt = |events: &[Event]| {
            events.iter().find(|event| event.name == "started").unwrap().data["attempt"].as_i64()
        };
        assert!(attempt(&again) > attempt(&events), "{again:?}");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }
}

#[tokio::test]
async fn a_silent_stream_has_heartbeats() {
    let (assistant, script) = ScriptedAssistant::new();
    let limits = Limits { keep_alive: Duration::from_millis(30), ..Limits::default() };
    let http = Options { limits, ..Options::default() };
    let settings = Settings { assistant, http, ..Settings::default() };
    let server = TestServer::with(&crate::support::TestDatabase::sqlite(), settings).await;
    let mut stream = Stream::of(request(&server.user("ann"), "hello", "once")).await;
    stream.next().await.unwrap();
    let attempt = script.next().await;
    let wait = async {
        while stream.heartbeats < 3 {
            let chunk = stream.response.chunk().await.unwrap().unwrap();
            stream.heartbeats += std::str::from_utf8(&chunk).unwrap().matches(":\n\n").count();
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
    attempt.finish();
    assert_eq!(get(&server.user("ann"), "/api/ann/conversations").await.0, 200);
}
