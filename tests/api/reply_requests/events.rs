//! What a subscription that requests a reply streams.

use axum::http::Request;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{all, kinds, subscription, text};
use crate::http::Way;
use crate::support::{ScriptedAssistant, Settings, TestServer, on_both_databases};

/// The first event, which has these rows.
fn requested(events: &[Value]) -> (&Value, &Value, &Value) {
    assert_eq!(kinds(events)[..2], ["ReplyRequested", "ReplyStarted"], "{events:?}");
    let first = &events[0];
    assert_eq!(first["reply"]["parent"]["id"], first["message"]["id"]);
    let end = &events.last().unwrap()["message"];
    assert_eq!((&end["id"], &end["status"]), (&first["reply"]["id"], &json!("COMPLETE")));
    assert_eq!(end["content"], text(events));
    (&first["conversation"]["id"], &first["message"], &first["reply"]["id"])
}

on_both_databases! {
    async fn one_request_brings_everything_from_the_stored_message_to_the_last_word(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for way in Way::STREAMS {
            let key = |name: &str| format!("{name} {way:?}");
            let input = json!({ "content": "hello", "idempotencyKey": key("send") });
            let sent = all(&ann, way, "sendMessage", &input, None).await;
            let (conversation, message, reply) = requested(&sent);
            assert_eq!(message["content"], "hello");

            let input = json!({ "content": "more", "conversationId": conversation, "idempotencyKey": key("more") });
            let more = all(&ann, way, "sendMessage", &input, None).await;
            assert_eq!(requested(&more).0, conversation);

            let input = json!({ "messageId": message["id"], "content": "hi", "idempotencyKey": key("edit") });
            let edited = all(&ann, way, "editMessage", &input, None).await;
            assert_eq!((requested(&edited).0, &requested(&edited).1["content"]), (conversation, &json!("hi")));

            let input = json!({ "messageId": reply, "idempotencyKey": key("regenerate") });
            let regenerated = all(&ann, way, "regenerateReply", &input, None).await;
            assert_eq!((requested(&regenerated).0, requested(&regenerated).1), (conversation, message));
            assert_ne!(requested(&regenerated).2, reply);
        }
    }

    async fn a_reply_that_was_stopped_is_begun_again(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let reply = &sent["reply"]["id"];
        let first = script.next().await;
        first.say("one");
        let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id, idempotencyKey: \"stop\" }) { reply { status } } }";
        ann.data(stop, json!({ "id": reply })).await;

        let input = json!({ "messageId": reply, "idempotencyKey": "again" });
        let client = ann.clone();
        let variables = input.clone();
        let following = tokio::spawn(async move { all(&client, Way::Events, "retryReply", &variables, None).await });
        let attempt = script.next().await;
        // The key of the first stop stops nothing any more: it waits for the end.
        let (stopper, id) = (ann.clone(), reply.clone());
        let stopping = tokio::spawn(async move { stopper.data(stop, json!({ "id": id })).await });
        attempt.say("two");
        attempt.finish();
        let events = following.await.unwrap();
        let (conversation, message, id) = requested(&events);
        assert_eq!((conversation, &message["id"], id), (&sent["conversation"]["id"], &sent["message"]["id"], reply));
        assert_eq!((text(&events).as_str(), &events[1]["attempt"]), ("two", &json!(2)));
        assert_eq!(stopping.await.unwrap()["stopReply"]["reply"]["status"], "COMPLETE");
        // Its own key finds what it has asked for; another one asks for something that cannot be.
        let again = all(&ann, Way::Events, "retryReply", &input, None).await;
        assert_eq!(again[1..], events[1..]);
        let other = json!({ "messageId": reply, "idempotencyKey": "other" });
        let refused = all(&ann, Way::Events, "retryReply", &other, None).await;
        assert_eq!(refused, [json!({ "error": { "code": "INVALID_STATE" } })]);
    }

    async fn what_is_wrong_with_a_request_is_its_only_event(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let nobody = "01a1f7b0-0000-7000-8000-000000000000";
        for (field, input, code, path) in [
            ("sendMessage", json!({ "content": "hello" }), "BAD_USER_INPUT", Some("input.idempotencyKey")),
            ("sendMessage", json!({ "content": "hello", "idempotencyKey": "é" }), "BAD_USER_INPUT", Some("input.idempotencyKey")),
            ("sendMessage", json!({ "content": " ", "idempotencyKey": "1" }), "BAD_USER_INPUT", Some("input.content")),
            ("editMessage", json!({ "messageId": nobody, "content": "hello", "idempotencyKey": "1" }), "NOT_FOUND", None),
            ("regenerateReply", json!({ "messageId": nobody, "idempotencyKey": "1" }), "NOT_FOUND", None),
            ("retryReply", json!({ "messageId": nobody, "idempotencyKey": "1" }), "NOT_FOUND", None),
        ] {
            for way in Way::STREAMS {
                let told = all(&ann, way, field, &input, None).await;
                assert_eq!(told.len(), 1, "{told:?}");
                assert_eq!(told[0]["error"]["code"], code, "{field} {input}");
                assert_eq!(told[0]["error"]["field"].as_str(), path, "{field} {input}");
            }
        }
        assert_eq!(database.number("SELECT count(*) FROM message").await, 0);
    }

    async fn a_client_that_leaves_at_once_has_written_nevertheless(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("first", json!({})).await;
        let blocker = super::repeats::block(&database).await;
        for (field, input) in [
            ("sendMessage", json!({ "content": "left", "idempotencyKey": "send" })),
            ("editMessage", json!({ "content": "left", "messageId": sent["message"]["id"], "idempotencyKey": "edit" })),
            ("regenerateReply", json!({ "messageId": sent["reply"]["id"], "idempotencyKey": "regenerate" })),
        ] {
            let events = ann.subscribe(&subscription(field), json!({ "input": input })).await;
            // The head of the answer says that the write has begun.
            drop(events);
        }
        super::repeats::unblock(blocker).await;
        database.becomes("SELECT count(*) FROM message", 7).await;
        database.becomes("SELECT count(*) FROM message WHERE status <> 'COMPLETE'", 0).await;
    }

    async fn a_client_that_reads_not_even_the_first_byte_has_written_nevertheless(database) {
        let server = TestServer::start(&database).await;
        let stream = TcpStream::connect(server.url().trim_start_matches("http://")).await.unwrap();
        // The head of the answer comes, and there is no room for any of its body.
        let mut builder = h2::client::Builder::new();
        let (sender, connection) = builder.initial_window_size(0).handshake::<_, Bytes>(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let input = json!({ "content": "hello", "idempotencyKey": "one" });
        let body = json!({ "query": subscription("sendMessage"), "variables": { "input": input } });
        let request = Request::post(format!("{}/graphql", server.url()))
            .header("authorization", format!("Bearer {}", server.user("ann").token().unwrap()))
            .header("content-type", "application/json")
            .header("accept", "text/event-stream");
        let (response, mut upload) =
            sender.ready().await.unwrap().send_request(request.body(()).unwrap(), false).unwrap();
        upload.send_data(body.to_string().into(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        connection.abort();
        database.becomes("SELECT count(*) FROM message", 2).await;
    }
}
