//! How much one user, and all of them together, may have in hand.

use std::collections::BTreeSet;
use std::time::Duration;

use causerie::admission::Limits;
use causerie::http::Options;
use serde_json::{Value, json};

use super::{FOREVER, Frame, QUERY, Socket, Way, Ways, code, limited, read_until, stream};
use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer};

const SEND: &str = "mutation { sendMessage(input: { content: \"hello\" }) { reply { status } } }";

/// A server with these limits, and the script of its assistant.
async fn led(database: &TestDatabase, limits: Limits) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let http = Options { limits, ..Options::default() };
    (TestServer::with(database, Settings { assistant, http, ..Settings::default() }).await, script)
}

async fn post(client: &Client, query: &str) -> (u16, Option<String>, Value) {
    let response = client.post("/graphql").json(&json!({ "query": query })).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|it| it.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry_after, response.json().await.unwrap())
}

/// Sends a message and waits for the reply elsewhere.
fn waiting(client: Client) -> tokio::task::JoinHandle<Value> {
    tokio::spawn(async move { post(&client, SEND).await.2 })
}

#[tokio::test]
async fn requests_of_one_user() {
    let (server, script) =
        led(&TestDatabase::sqlite(), Limits { user_requests: 2, ..Limits::default() }).await;
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let first = waiting(ann.clone());
    let attempt = script.next().await;
    let (mut ways, mut others) = (Ways::of(&ann).await, Ways::of(&bob).await);
    for way in Way::ALL {
        // One more is possible.
        ways.query(way, QUERY).await.data();
    }
    let second = waiting(ann.clone());
    let other = script.next().await;
    for way in Way::ALL {
        ways.query(way, QUERY).await.assert_later(429, "RATE_LIMITED");
        // Others are not held up.
        others.query(way, QUERY).await.data();
    }
    let chat = ann.post("/api/ann/chat").json(&json!({ "message": "hello" })).send().await.unwrap();
    assert_eq!((chat.status().as_u16(), chat.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(ann.get("/api/ann/conversations").send().await.unwrap().status(), 429);
    attempt.finish();
    other.finish();
    for reply in [first, second] {
        assert_eq!(reply.await.unwrap()["data"]["sendMessage"]["reply"]["status"], "COMPLETE",);
    }
    for way in Way::ALL {
        ways.query(way, QUERY).await.data();
    }
}

#[tokio::test]
async fn requests_of_all() {
    let (server, script) = led(&TestDatabase::sqlite(), Limits { requests: 2, ..Limits::default() }).await;
    let mut ways = Ways::of(&server.user("bob")).await;
    let first = waiting(server.user("ann"));
    let attempt = script.next().await;
    for way in Way::ALL {
        // One more is possible.
        ways.query(way, QUERY).await.data();
    }
    let second = waiting(server.user("eve"));
    let other = script.next().await;
    for way in Way::ALL {
        ways.query(way, QUERY).await.assert_later(503, "UNAVAILABLE");
    }
    let chat =
        server.user("bob").post("/api/bob/chat").json(&json!({ "message": "hello" })).send().await.unwrap();
    assert_eq!((chat.status().as_u16(), chat.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let health = server.anonymous().get("/healthz").send().await.unwrap();
    assert_eq!(health.status(), 200, "probes come through");
    attempt.finish();
    other.finish();
    for reply in [first, second] {
        reply.await.unwrap();
    }
    for way in Way::ALL {
        ways.query(way, QUERY).await.data();
    }
}

#[tokio::test]
async fn time_of_a_request() {
    let limits = Limits { request_timeout: Duration::from_millis(200), ..Limits::default() };
    let (server, _script) = led(&TestDatabase::sqlite(), limits).await;
    let ann = server.user("ann");
    let (status, retry_after, body) = post(&ann, SEND).await;
    assert_eq!((status, retry_after.as_deref()), (503, Some("1")));
    assert_eq!(body["errors"][0]["extensions"]["code"], "TIMEOUT");
    let chat = ann.post("/api/ann/chat").json(&json!({ "message": "hello" })).send().await.unwrap();
    assert_eq!(chat.status(), 503);
    let text = read_until(&mut stream(&ann, SEND).await, "event: complete").await;
    assert!(text.contains("\"TIMEOUT\""), "{text}");
    let mut socket = Socket::signed_in(&ann).await;
    assert_eq!(code(&socket.run("1", SEND).await[0]), "TIMEOUT");
    socket.subscribe("2", FOREVER).await;
    let change = socket.message().await;
    assert_eq!(change["type"], "next", "what was sent is there all the same: {change}");
}

#[tokio::test]
async fn sockets_of_one_user() {
    let server = limited(&TestDatabase::sqlite(), Limits { user_sockets: 2, ..Limits::default() }).await;
    let ann = server.user("ann");
    // Whoever has no token is counted by the address.
    for client in [&ann, &server.anonymous()] {
        let mut held = [Ways::of(client).await, Ways::of(client).await];
        let mut third = Socket::open(server.url()).await;
        third.init(client.token()).await;
        assert_eq!(third.closed().await, 1013);
        for ways in &mut held {
            ways.query(Way::Socket, "{ __typename }").await.data();
        }
    }
    let first = Socket::signed_in(&server.user("bob")).await;
    let _second = Socket::signed_in(&server.user("bob")).await;
    drop(first);
    loop {
        let mut socket = Socket::open(server.url()).await;
        socket.init(server.user("bob").token()).await;
        match socket.next().await {
            Frame::Message(_) => break,
            other => assert_eq!(other, Frame::Closed(1013), "until the first one's end is noticed"),
        }
    }
}

#[tokio::test]
async fn subscriptions_of_one_user() {
    let server =
        limited(&TestDatabase::sqlite(), Limits { user_subscriptions: 2, ..Limits::default() }).await;
    let ann = server.user("ann");
    let mut socket = Socket::signed_in(&ann).await;
    socket.subscribe("1", FOREVER).await;
    // An answer to what came later: the subscription runs.
    assert_eq!(socket.run("2", QUERY).await.len(), 2);
    let mut events = stream(&ann, FOREVER).await;
    read_until(&mut events, ":\n\n").await;
    let mut ways = Ways::of(&ann).await;
    for way in Way::STREAMS {
        ways.query(way, FOREVER).await.assert_later(429, "RATE_LIMITED");
    }
    let by_rest = ann.post("/api/ann/chat").json(&json!({ "message": "hello" }));
    let refused = by_rest.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(refused.status(), 429, "a stream of REST counts with them");
    for way in Way::ALL {
        // Requests are counted for themselves.
        ways.query(way, QUERY).await.data();
    }
    socket.send(json!({ "type": "complete", "id": "1" })).await;
    loop {
        let response = stream(&ann, FOREVER).await;
        if response.status() == 200 {
            break;
        }
    }
}

#[tokio::test]
async fn operations_of_one_socket() {
    let server = limited(&TestDatabase::sqlite(), Limits { socket_operations: 2, ..Limits::default() }).await;
    let ann = server.user("ann");
    let (mut socket, mut other) = (Socket::signed_in(&ann).await, Socket::signed_in(&ann).await);
    for id in ["1", "2"] {
        socket.subscribe(id, FOREVER).await;
    }
    for query in [FOREVER, QUERY] {
        let refused = socket.run("3", query).await;
        assert_eq!(code(&refused[0]), "RATE_LIMITED");
        assert_eq!(refused[0]["payload"][0]["extensions"]["retryAfter"], 1);
    }
    assert_eq!(other.run("3", QUERY).await.len(), 2, "another socket has its own");
    ann.start("hello").await;
    let mut heard = BTreeSet::new();
    while heard.len() < 2 {
        heard.insert(socket.message().await["id"].as_str().unwrap().to_owned());
    }
    socket.send(json!({ "type": "complete", "id": "1" })).await;
    assert_eq!(socket.run("3", QUERY).await.last().unwrap()["type"], "complete");
}

#[tokio::test]
async fn a_stream_of_rest_is_a_request_until_it_begins_and_a_subscription_then() {
    let limits = Limits { user_requests: 1, user_subscriptions: 1, ..Limits::default() };
    let (server, script) = led(&TestDatabase::sqlite(), limits).await;
    let ann = server.user("ann");
    let begin = async || {
        let request = ann.post("/api/ann/chat").header("accept", "text/event-stream");
        request.json(&json!({ "message": "hello" })).send().await.unwrap()
    };
    let mut events = begin().await;
    read_until(&mut events, "event: requested").await;
    let attempt = script.next().await;
    let mut ways = Ways::of(&ann).await;
    for way in Way::ALL {
        ways.query(way, QUERY).await.data();
    }
    assert_eq!(begin().await.status(), 429);
    attempt.finish();
    read_until(&mut events, "event: ended").await;
    drop(events);
    let mut again = begin().await;
    while again.status() != 200 {
        again = begin().await;
    }
    script.next().await.finish();
    read_until(&mut again, "event: ended").await;
}
