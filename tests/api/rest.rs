//! The endpoint for clients without GraphQL: the same rows, and a status for each way that it can end.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, Settings, TestServer, on_both_databases};

/// Posts `body` as the user `ann`, and returns the status and the body.
async fn post(client: &Client, body: &Value) -> (StatusCode, Value) {
    read(client.post("/api/ann/chat").json(body).send().await.unwrap()).await
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
}

on_both_databases! {
    async fn a_conversation_goes_on_and_graphql_shows_the_same(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (status, first) = post(&ann, &json!({ "message": " hello " })).await;
        assert_eq!(status, 200);
        let id = first["conversation_id"].as_str().unwrap();
        let response = first["response"].as_str().unwrap();
        assert!(response.ends_with("\nhello"), "{response}");
        assert_eq!(first, json!({ "conversation_id": id, "response": response, "tool_calls": [] }));

        let (status, second) = post(&ann, &json!({ "message": "/reason", "conversation_id": id })).await;
        assert_eq!(status, 200);
        assert_eq!(second["conversation_id"], id);
        assert!(!second.to_string().contains("wants to see"), "the reasoning is no part of the answer: {second}");
        let (_, other) = post(&ann, &json!({ "message": "hello", "conversation_id": null })).await;
        assert_ne!(other["conversation_id"], id);

        let messages = ann.messages(id).await;
        let contents: Vec<_> = messages.iter().map(|message| &message["content"]).collect();
        assert_eq!(contents, [&json!("hello"), &first["response"], &json!("/reason"), &second["response"]]);
        let sent = ann.send("by GraphQL", json!({ "conversationId": id })).await;
        assert_eq!(sent["message"]["position"], 5);
    }

    async fn the_user_in_the_address_is_the_tokens(database) {
        let server = TestServer::start(&database).await;
        let hello = json!({ "message": "hello" });
        assert_refused(&post(&server.anonymous(), &hello).await, 401, "UNAUTHENTICATED");
        assert_refused(&post(&server.user("bob"), &hello).await, 403, "FORBIDDEN");
        assert_refused(&post(&server.user("Ann"), &hello).await, 403, "FORBIDDEN");
        // Whether the rest of the request is right is told only to the right user.
        assert_refused(&post(&server.user("bob"), &json!([])).await, 403, "FORBIDDEN");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 0);

        let zoe = server.user("zoë/1 %");
        let answer = zoe.post("/api/zo%C3%AB%2F1%20%25/chat").json(&hello).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    async fn a_conversation_that_is_not_there_or_not_ones_own_is_not_found(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let deleted = ann.start("hello").await;
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
        ann.data(delete, json!({ "id": deleted })).await;
        let bobs = server.user("bob").start("hello").await;
        for id in [bobs, deleted, Uuid::now_v7().to_string(), "nonsense".to_owned(), String::new()] {
            let answer = post(&ann, &json!({ "message": "hello", "conversation_id": id })).await;
            assert_refused(&answer, 404, "NOT_FOUND");
        }
        assert_eq!(server.user("bob").data("{ viewer { conversations { nodes { messageCount } } } }", json!({})).await,
            json!({ "viewer": { "conversations": { "nodes": [{ "messageCount": 2 }] } } }));
    }

    async fn what_is_wrong_with_a_body_is_said(database) {
        let server = TestServer::with(&database, Settings { message_chars: 10, ..Settings::default() }).await;
        let ann = server.user("ann");
        for body in [
            json!({}),
            json!([]),
            json!("hello"),
            json!(null),
            json!({ "message": null }),
            json!({ "message": 1 }),
            json!({ "message": "" }),
            json!({ "message": "  " }),
            json!({ "message": "a\u{0}b" }),
            json!({ "message": "01234567890" }),
            json!({ "message": "hello", "conversation_id": 1 }),
            json!({ "message": "hello", "conversationId": "misspelt" }),
        ] {
            assert_refused(&post(&ann, &body).await, 422, "BAD_USER_INPUT");
        }
        let raw = |text: &'static str, kind: &str| {
            ann.post("/api/ann/chat").header("content-type", kind).body(text).send()
        };
        let malformed = raw(r#"{"message": "hello""#, "application/json").await.unwrap();
        assert_refused(&read(malformed).await, 422, "BAD_USER_INPUT");
        let form = raw("message=hello", "application/x-www-form-urlencoded").await.unwrap();
        assert_refused(&read(form).await, 415, "UNSUPPORTED_MEDIA_TYPE");
        let plain = raw(r#"{"message": "hello"}"#, "text/plain").await.unwrap();
        assert_refused(&read(plain).await, 415, "UNSUPPORTED_MEDIA_TYPE");

        let get = ann.get("/api/ann/chat").send().await.unwrap();
        assert_eq!(get.headers()["allow"], "POST");
        assert_refused(&read(get).await, 405, "METHOD_NOT_ALLOWED");
        let elsewhere = ann.post("/api/ann/talk").json(&json!({ "message": "hello" })).send().await.unwrap();
        assert_refused(&read(elsewhere).await, 404, "NOT_FOUND");
        let large = post(&ann, &json!({ "message": "x".repeat(3_000_000) })).await;
        assert_refused(&large, 413, "PAYLOAD_TOO_LARGE");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 0);
    }

    async fn a_key_makes_a_request_safe_to_repeat(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let with_key = async |message: &str, key: &[u8]| {
            let request = ann.post("/api/ann/chat").json(&json!({ "message": message }));
            read(request.header("Idempotency-Key", key).send().await.unwrap()).await
        };
        let first = with_key("hello", b"once").await;
        assert_eq!(first.0, 200);
        assert_eq!(with_key("hello", b"once").await, first);
        assert_refused(&with_key("hello!", b"once").await, 409, "IDEMPOTENCY_MISMATCH");
        assert_refused(&with_key("hello", "k".repeat(129).as_bytes()).await, 422, "BAD_USER_INPUT");
        assert_refused(&with_key("hello", "é".as_bytes()).await, 422, "BAD_USER_INPUT");
        // It is the same key by GraphQL.
        let sent = ann.send("hello", json!({ "idempotencyKey": "once" })).await;
        assert_eq!(sent["conversation"]["id"], first.1["conversation_id"]);
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }

    async fn a_reply_that_fails_is_a_bad_gateway_and_loses_nothing(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        let failed = post(&ann, &json!({ "message": "/fail", "conversation_id": id })).await;
        assert_refused(&failed, 502, "ASSISTANT_FAILED");
        let messages = ann.messages(&id).await;
        assert_eq!(messages[2]["content"], "/fail");
        assert_eq!(messages[3]["status"], "FAILED");
        let (status, next) = post(&ann, &json!({ "message": "more", "conversation_id": id })).await;
        assert_eq!(status, 200);
        assert!(next["response"].as_str().unwrap().ends_with("\nmore"));
    }
}
