//! Subscriptions as Apollo Client's `HttpLink` asks for them. The client itself is run in `tests/clients/libraries`.

use std::time::Duration;

use causerie::admission::Limits;
use reqwest::Response;
use serde_json::{Value, json};

use super::{APOLLO, FOREVER, PARTS, limited, parts, read_until, token_for};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

async fn subscribe(client: &Client, accept: &str, query: &str) -> Response {
    let request = client.post("/graphql").header("accept", accept);
    request.json(&json!({ "query": query })).send().await.unwrap()
}

/// The rest of a stream, and what its parts say.
async fn rest(mut response: Response, mut text: String) -> Vec<Value> {
    while let Some(chunk) = response.chunk().await.unwrap() {
        text += std::str::from_utf8(&chunk).unwrap();
    }
    parts(&text)
}

on_both_databases! {
    async fn each_event_is_a_part_that_is_whole_when_it_comes(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        let follow = format!(
            "subscription {{ replyProgress(messageId: {}) {{ ... on ReplyStarted {{ attempt }} ... on ReplyText {{ text }}
               ... on ReplyEnded {{ message: reply {{ content }} }} }} }}",
            sent["reply"]["id"]
        );
        let mut response = subscribe(&ann, APOLLO, &follow).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], PARTS);
        assert_eq!(response.headers()["vary"], "Accept");
        assert_eq!(response.headers()["cache-control"], "no-cache, no-transform");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut text = String::new();
        for word in ["Good", " morning"] {
            attempt.say(word);
            // A client knows by the delimiter that a part is whole: it must not wait for the next event to see it.
            text += &read_until(&mut response, &format!("{{\"text\":\"{word}\"}}}}}}}}\r\n--graphql")).await;
        }
        attempt.finish();
        let told = rest(response, text).await;
        let events: Vec<_> = told.iter().map(|part| &part["payload"]["data"]["replyProgress"]).collect();
        let end = json!({ "message": { "content": "Good morning" } });
        let expected = json!([{ "attempt": 1 }, { "text": "Good" }, { "text": " morning" }, end]);
        let expected: Vec<_> = expected.as_array().unwrap().iter().collect();
        assert_eq!(events, expected);
    }

    async fn a_silent_stream_has_heartbeats(database) {
        let server = limited(&database, Limits { keep_alive: Duration::from_millis(50), ..Limits::default() }).await;
        let mut response = subscribe(&server.user("ann"), APOLLO, FOREVER).await;
        let beat = "\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql";
        let text = read_until(&mut response, &beat.repeat(2)).await;
        assert_eq!(text.replace(beat, ""), "\r\n--graphql");
    }

    async fn errors_of_the_operation_are_in_the_payload_and_others_beside_it(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let failed = subscribe(&ann, APOLLO, "subscription { changes(since: \"x\") { __typename } }").await;
        let told = rest(failed, String::new()).await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["payload"]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(told[0]["payload"]["data"], Value::Null);
        assert_eq!(told[0].get("errors"), None);

        let refused = subscribe(&ann, APOLLO, "subscription { nonsense }").await;
        let told = rest(refused, String::new()).await;
        let errors = &told[0]["payload"]["errors"];
        assert_eq!(errors[0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(told[0]["payload"].get("data"), None);

        let ann = Client::new(server.url(), Some(token_for("ann", Duration::from_secs(1))));
        let expired = subscribe(&ann, APOLLO, FOREVER).await;
        let told = rest(expired, String::new()).await;
        assert_eq!((told.len(), &told[0]["payload"]), (1, &Value::Null));
        assert_eq!(told[0]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }

    async fn a_server_that_stops_tells_its_readers_to_come_again(database) {
        let server = TestServer::start(&database).await;
        let mut response = subscribe(&server.user("ann"), APOLLO, FOREVER).await;
        let text = read_until(&mut response, "--graphql").await;
        let stopping = tokio::spawn(server.stop());
        let told = rest(response, text).await;
        assert_eq!((told.len(), &told[0]["payload"]), (1, &Value::Null));
        assert_eq!(told[0]["errors"][0]["extensions"]["code"], "UNAVAILABLE");
        stopping.await.unwrap();
    }

    async fn only_subscriptions_are_answered_in_parts(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for (accept, query, kind) in [
            (APOLLO, "{ __typename }", "application/graphql-response+json; charset=utf-8"),
            ("multipart/mixed;subscriptionSpec=1.0", "{ __typename }", "application/json; charset=utf-8"),
            ("multipart/mixed;subscriptionSpec=1.0, application/json", FOREVER, PARTS),
            ("multipart/mixed;deferSpec=20220824, application/json", FOREVER, "application/json; charset=utf-8"),
            ("multipart/mixed;deferSpec=20220824, */*", FOREVER, "text/event-stream; charset=utf-8"),
        ] {
            let response = subscribe(&ann, accept, query).await;
            assert_eq!(response.headers()["content-type"], kind, "{accept}: {query}");
        }
    }
}
