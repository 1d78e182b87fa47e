//! A message and its reply in one request.

use causerie::assistant::{Delta, Failure, FailureCode, ToolCall};
use serde_json::json;
use uuid::Uuid;

use super::{assert_refused, post, post_with_key, read};
use crate::support::{ScriptedAssistant, Settings, TestServer, on_both_databases};

on_both_databases! {
    async fn a_conversation_goes_on_and_graphql_shows_the_same(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (status, first) = post(&ann, &json!({ "message": " hello " })).await;
        assert_eq!(status, 200);
        let id = first["conversation_id"].as_str().unwrap();
        let response = first["response"].as_str().unwrap();
        assert!(response.ends_with("\nhello"), "{response}");
        let (message, reply) = (&first["message_id"], &first["reply_id"]);
        assert_eq!(first, json!({
            "conversation_id": id, "message_id": message, "reply_id": reply, "status": "COMPLETE",
            "response": response, "tool_calls": [],
        }));

        let (status, second) = post(&ann, &json!({ "message": "/reason", "conversation_id": id })).await;
        assert_eq!(status, 200);
        assert_eq!(second["conversation_id"], id);
        assert!(!second.to_string().contains("wants to see"), "the reasoning is no part of the answer: {second}");
        let (_, other) = post(&ann, &json!({ "message": "hello", "conversation_id": null })).await;
        assert_ne!(other["conversation_id"], id);

        let messages = ann.messages(id).await;
        assert_eq!((&messages[0]["id"], &messages[1]["id"]), (message, reply));
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
        let empty = post(&ann, &json!({ "message": " " })).await;
        assert_refused(&empty, 422, "BAD_USER_INPUT");
        assert_eq!(empty.1["errors"][0]["extensions"]["field"], "message");
        assert!(empty.1["detail"].as_str().unwrap().contains("`message`"), "{}", empty.1);
        assert!(!empty.1["detail"].as_str().unwrap().contains("`content`"), "{}", empty.1);
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
        let first = post_with_key(&ann, "hello", b"once").await;
        assert_eq!(first.0, 200);
        assert_eq!(post_with_key(&ann, "hello", b"once").await, first);
        assert_refused(&post_with_key(&ann, "hello!", b"once").await, 409, "IDEMPOTENCY_MISMATCH");
        assert_refused(&post_with_key(&ann, "hello", "k".repeat(129).as_bytes()).await, 422, "BAD_USER_INPUT");
        assert_refused(&post_with_key(&ann, "hello", "é".as_bytes()).await, 422, "BAD_USER_INPUT");
        // It is the same key by GraphQL.
        let sent = ann.send("hello", json!({ "idempotencyKey": "once" })).await;
        assert_eq!(sent["conversation"]["id"], first.1["conversation_id"]);
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }

    async fn what_the_assistant_asks_tools_for_is_an_object_where_it_parses(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let call = async {
            let attempt = script.next().await;
            attempt.say("I look it up.");
            for (call_id, arguments) in [("a", r#"{"n": 1.50, "of": [{}]}"#), ("b", "[1]"), ("c", r#"{"n": 1"#)] {
                let call = ToolCall { call_id: call_id.into(), name: "look_up".into(), arguments: arguments.into() };
                attempt.send(Ok(Delta::ToolCall(call)));
            }
            attempt.finish();
        };
        let hello = json!({ "message": "hello" });
        let ((status, body), ()) = tokio::join!(post(&ann, &hello), call);
        assert_eq!(status, 200, "{body}");
        let calls = body["tool_calls"].as_array().unwrap();
        let told: Vec<_> = calls.iter().map(|call| (&call["call_id"], &call["name"], &call["arguments"])).collect();
        let name = json!("look_up");
        assert_eq!(told, [
            (&json!("a"), &name, &json!({ "n": 1.50, "of": [{}] })),
            (&json!("b"), &name, &json!("[1]")),
            (&json!("c"), &name, &json!(r#"{"n": 1"#)),
        ]);
        let parts = "query($id: ID!) { message(id: $id) { parts { ... on ToolCall { id } } } }";
        let parts = ann.data(parts, json!({ "id": body["reply_id"] })).await;
        let ids: Vec<_> = parts["message"]["parts"].as_array().unwrap()[1..].iter().map(|part| &part["id"]).collect();
        let told: Vec<_> = calls.iter().map(|call| &call["id"]).collect();
        assert_eq!(told, ids, "the same ids as by GraphQL");
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
        let body = &failed.1;
        assert_eq!((&body["conversation_id"], &body["status"]), (&json!(id), &json!("FAILED")));
        assert_eq!((&body["message_id"], &body["reply_id"]), (&messages[2]["id"], &messages[3]["id"]));
        assert_eq!(body["response"], messages[3]["content"]);
        let failure = &body["errors"][0]["extensions"]["failure"];
        assert!(failure["code"].is_string() && failure["retryable"].is_boolean(), "{body}");
        let (status, next) = post(&ann, &json!({ "message": "more", "conversation_id": id })).await;
        assert_eq!(status, 200);
        assert!(next["response"].as_str().unwrap().ends_with("\nmore"));
    }

    async fn the_key_of_a_request_whose_reply_failed_begins_it_again(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let fail = async {
            let attempt = script.next().await;
            attempt.say("so f");
            attempt.send(Err(Failure {
                code: FailureCode::AssistantUnavailable,
                message: "The assistant is not available.".to_owned(),
                retryable: true,
            }));
        };
        let speak = async {
            let attempt = script.next().await;
            attempt.say("Hello yourself.");
            attempt.finish();
        };
        let (failed, ()) = tokio::join!(post_with_key(&ann, "hello", b"once"), fail);
        assert_refused(&failed, 502, "ASSISTANT_FAILED");
        assert_eq!(failed.1["response"], "so f");
        // Two come at once: it is begun again for both of them.
        let again = || post_with_key(&ann, "hello", b"once");
        let (first, second, ()) = tokio::join!(again(), again(), speak);
        assert_eq!(first, second);
        assert_eq!((first.0.as_u16(), &first.1["response"]), (200, &json!("Hello yourself.")));
        for id in ["conversation_id", "message_id", "reply_id"] {
            assert_eq!(first.1[id], failed.1[id]);
        }
        assert_eq!(again().await, first, "a reply that is complete stays as it is");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }

    async fn a_reply_that_was_stopped_says_so(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let stop = async {
            let attempt = script.next().await;
            attempt.say("so f");
            let running = "{ conversations { nodes { lastMessage { id } } } }";
            let data = ann.data(running, json!({})).await;
            let id = &data["conversations"]["nodes"][0]["lastMessage"]["id"];
            let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { content } } }";
            ann.data(stop, json!({ "id": id })).await["stopReply"]["reply"]["content"].take()
        };
        let ((status, body), content) = tokio::join!(post_with_key(&ann, "hello", b"once"), stop);
        assert_eq!((status.as_u16(), &body["status"], &body["response"]), (200, &json!("STOPPED"), &content));
        assert_eq!(post_with_key(&ann, "hello", b"once").await, (status, body), "it is not begun again");
    }
}
