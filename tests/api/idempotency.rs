//! A request that is repeated under its key is carried out once.

use std::time::Duration;

use causerie::receipts;
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::cost::{Filler, assert_indexed};
use crate::support::{Answer, Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

const DELETE: &str =
    "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";

/// A mutation under a key, and what happens before it is repeated.
struct Case {
    name: &'static str,
    payload: &'static str,
    input: Value,
    /// What another device does meanwhile.
    meanwhile: Vec<(&'static str, Value)>,
    /// What the repeated request must answer, if that is not what the first one answered.
    now: Option<Value>,
    /// Arguments of another request.
    others: Vec<(&'static str, Value)>,
}

impl Case {
    async fn run(&self, client: &Client, input: &Value) -> Answer {
        let Self { name, payload, .. } = self;
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {payload} }} }}");
        client.run(&query, json!({ "input": input })).await
    }

    /// The id of what the mutation made or changed.
    fn id(&self, data: &Value) -> Value {
        let payload = data[self.name].as_object().unwrap();
        let (field, value) =
            payload.iter().find(|(field, _)| *field != "conversation" || payload.len() == 1).unwrap();
        if field == "deletedMessageId" { value.clone() } else { value["id"].clone() }
    }
}

/// The mutations of messages, in an order in which each finds its message.
fn mutations(message: &Value, reply: &Value) -> Vec<Case> {
    let metadata = json!({ "a": 1 });
    let rate = "mutation($id: ID!) { rateReply(input: { messageId: $id, rating: DOWN }) { reply { id } } }";
    let set = "mutation($id: ID!) { updateMessageMetadata(input: { messageId: $id, metadata: { b: 2 } }) { message { id } } }";
    let case = |name, payload, input: Value, others| Case {
        name,
        payload,
        input,
        meanwhile: Vec::new(),
        now: None,
        others,
    };
    vec![
        Case {
            meanwhile: vec![(rate, json!({ "id": reply }))],
            now: Some(json!({ "reply": { "id": reply, "feedback": { "rating": "DOWN" } } })),
            ..case(
                "rateReply",
                "reply { id feedback { rating } }",
                json!({ "messageId": reply, "rating": "UP", "comment": "good", "idempotencyKey": "rate" }),
                vec![("rating", "DOWN".into()), ("comment", "bad".into()), ("comment", Value::Null)],
            )
        },
        Case {
            meanwhile: vec![(set, json!({ "id": message }))],
            now: Some(json!({ "message": { "id": message, "metadata": { "a": 1, "b": 2 } } })),
            ..case(
                "updateMessageMetadata",
                "message { id metadata }",
                json!({ "messageId": message, "metadata": metadata, "idempotencyKey": "metadata" }),
                vec![("metadata", json!({})), ("messageId", reply.clone())],
            )
        },
        case(
            "forkConversation",
            "conversation { id metadata }",
            json!({ "messageId": reply, "metadata": metadata, "idempotencyKey": "fork" }),
            vec![("messageId", message.clone()), ("metadata", Value::Null)],
        ),
        case(
            "regenerateReply",
            "conversation { id } reply { id metadata }",
            json!({ "messageId": reply, "metadata": metadata, "onBusy": "REJECT", "idempotencyKey": "regenerate" }),
            vec![("onBusy", "INTERRUPT".into()), ("onBusy", Value::Null), ("metadata", json!({ "a": 2 }))],
        ),
        case(
            "editMessage",
            "message { id } reply { status }",
            json!({ "messageId": message, "content": "edited", "onBusy": "ENQUEUE", "idempotencyKey": "edit" }),
            vec![("onBusy", "ROLLBACK".into()), ("content", "other".into()), ("metadata", metadata.clone())],
        ),
        case(
            "sendMessage",
            "message { id } reply { status }",
            json!({ "content": "hello", "onBusy": "INTERRUPT", "idempotencyKey": "send" }),
            vec![("onBusy", "ENQUEUE".into()), ("onBusy", Value::Null), ("metadata", metadata.clone())],
        ),
        case(
            "activateMessage",
            "message { id }",
            json!({ "messageId": reply, "idempotencyKey": "activate" }),
            vec![("messageId", message.clone())],
        ),
        case(
            "deleteMessage",
            "deletedMessageId",
            json!({ "messageId": reply, "idempotencyKey": "delete" }),
            vec![("messageId", message.clone())],
        ),
    ]
}

on_both_databases! {
    async fn a_repeated_request_finds_the_first_ones_rows(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let first = ann.send("hello", json!({ "idempotencyKey": "one" })).await;
        // Neither the white space around the text nor the wish to wait makes it another request.
        for (content, input) in [
            ("hello", json!({ "idempotencyKey": "one" })),
            ("  hello\n", json!({ "idempotencyKey": "one" })),
            ("hello", json!({ "idempotencyKey": "one", "awaitReply": false })),
            ("hello", json!({ "idempotencyKey": "one", "conversationId": null })),
        ] {
            assert_eq!(ann.send(content, input.clone()).await, first, "{input}");
        }
        let id = first["conversation"]["id"].as_str().unwrap();
        let second = ann.send("more", json!({ "idempotencyKey": "two", "conversationId": id })).await;
        assert_eq!(ann.send("more", json!({ "idempotencyKey": "two", "conversationId": id })).await, second);
        // The retry of an older request finds its rows, however the conversation went on.
        let again = ann.send("hello", json!({ "idempotencyKey": "one" })).await;
        assert_eq!((&again["message"], &again["reply"]), (&first["message"], &first["reply"]));
        assert_eq!(database.number("SELECT count(*) FROM message").await, 4);
    }

    async fn a_key_of_another_request_is_a_mismatch(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let first = ann.send("hello", json!({ "idempotencyKey": "new" })).await;
        let id = first["conversation"]["id"].as_str().unwrap();
        ann.send("hello", json!({ "idempotencyKey": "old", "conversationId": id })).await;
        let other = ann.start("elsewhere").await;
        let before = database.number("SELECT count(*) FROM message").await;
        for (content, input) in [
            ("hello!", json!({ "idempotencyKey": "new" })),
            ("Hello", json!({ "idempotencyKey": "new" })),
            ("hello", json!({ "idempotencyKey": "new", "conversationId": id })),
            ("hello", json!({ "idempotencyKey": "old" })),
            ("hello", json!({ "idempotencyKey": "old", "conversationId": other })),
            ("hello!", json!({ "idempotencyKey": "old", "conversationId": id })),
        ] {
            assert_eq!(ann.try_send(content, input.clone()).await.code(), "IDEMPOTENCY_MISMATCH", "{input}");
        }
        assert_eq!(database.number("SELECT count(*) FROM message").await, before);
        // Keys are compared letter by letter, and each user has their own.
        ann.send("hello!", json!({ "idempotencyKey": "NEW" })).await;
        let bob = server.user("bob").send("hello!", json!({ "idempotencyKey": "new" })).await;
        assert_ne!(bob["conversation"]["id"], first["conversation"]["id"]);
    }

    async fn a_repeated_mutation_of_any_kind_changes_nothing_and_answers_with_what_is_there_now(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("hello", json!({})).await;
        let (message, reply) = (&sent["message"]["id"], &sent["reply"]["id"]);
        for case in mutations(message, reply) {
            let first = case.run(&ann, &case.input).await.data();
            // Another device does something else in the meantime.
            for (query, variables) in &case.meanwhile {
                ann.data(query, variables.clone()).await;
            }
            let since = ann.data("{ viewer { changeCursor } }", json!({})).await["viewer"]["changeCursor"].take();
            let again = case.run(&ann, &case.input).await.data();
            assert_eq!(case.id(&again), case.id(&first), "{}", case.name);
            if let Some(now) = &case.now {
                assert_eq!(&again[case.name], now, "{}", case.name);
            }
            let feed = "query($since: String) { changes(since: $since) { nodes { __typename } } }";
            let changes = ann.data(feed, json!({ "since": since })).await["changes"]["nodes"].take();
            assert_eq!(changes, json!([]), "{} has changed something again", case.name);
            for (field, value) in &case.others {
                let mut other = case.input.clone();
                other[field] = value.clone();
                let code = case.run(&ann, &other).await.code();
                assert_eq!(code, "IDEMPOTENCY_MISMATCH", "{} with another {field}", case.name);
            }
        }
    }

    async fn a_refused_mutation_leaves_the_payloads_of_the_others_in_the_document(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let query = "mutation {
          first: sendMessage(input: { content: \"hello\" }) { message { content } }
          second: sendMessage(input: { content: \" \" }) { message { content } }
          third: sendMessage(input: { content: \"still here\" }) { message { content } }
        }";
        let answer = ann.run(query, json!({})).await;
        let data = json!({
            "first": { "message": { "content": "hello" } },
            "second": null,
            "third": { "message": { "content": "still here" } },
        });
        assert_eq!(answer.body["data"], data);
        let errors = answer.body["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert_eq!(errors[0]["path"], json!(["second"]));
        assert_eq!(errors[0]["extensions"], json!({ "code": "BAD_USER_INPUT", "field": "input.content" }));
    }

    async fn twenty_simultaneous_requests_under_one_key_are_one(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let answers = join_all((0..20).map(|_| ann.send("hello", json!({ "idempotencyKey": "once" })))).await;
        assert_eq!(answers[0]["reply"]["status"], "COMPLETE");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
        assert_eq!(database.number("SELECT count(*) FROM conversation").await, 1);
    }

    async fn a_retry_waits_for_the_reply_that_runs_and_a_refused_request_uses_no_key(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        assert_eq!(ann.try_send("", json!({ "idempotencyKey": "once" })).await.code(), "BAD_USER_INPUT");
        let gone = json!({ "idempotencyKey": "once", "conversationId": "nothing" });
        assert_eq!(ann.try_send("hello", gone).await.code(), "NOT_FOUND");

        let sent = ann.send("hello", json!({ "idempotencyKey": "once", "awaitReply": false })).await;
        assert_eq!(sent["reply"]["status"], "GENERATING");
        let (retried, ()) = tokio::join!(ann.send("hello", json!({ "idempotencyKey": "once" })), async {
            let attempt = script.next().await;
            attempt.say("Hello yourself.");
            attempt.finish();
        });
        assert_eq!(retried["reply"]["content"], "Hello yourself.");
        assert_eq!(retried["reply"]["id"], sent["reply"]["id"]);
    }

    async fn a_failed_reply_is_not_asked_for_again(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let failed = ann.send("/fail", json!({ "idempotencyKey": "once" })).await;
        assert_eq!(failed["reply"]["status"], "FAILED");
        assert_eq!(failed["reply"]["failure"]["code"], "ASSISTANT_UNAVAILABLE");
        assert!(!failed["reply"]["content"].as_str().unwrap().is_empty(), "what had come is kept");
        assert_eq!(failed["message"]["content"], "/fail");
        assert_eq!(ann.send("/fail", json!({ "idempotencyKey": "once" })).await, failed);
    }

    async fn receipts_are_erased_when_they_are_old(database) {
        let month = Duration::from_hours(24 * 30);
        let receipts = receipts::Options { keep: month, period: Duration::from_millis(20) };
        let server = TestServer::with(&database, Settings { receipts, ..Settings::default() }).await;
        let ann = server.user("ann");
        let (old, new) = (json!({ "idempotencyKey": "old" }), json!({ "idempotencyKey": "new" }));
        let forgotten = ann.send("hello", old.clone()).await;
        let kept = ann.send("hello", new.clone()).await;
        // More than are erased at once.
        let filler = Filler::of(&database).await;
        filler.receipts("ben", 2_000).await;
        let age = if database.is_postgres() { "now() - interval '721 hours'" } else { "'2026-01-01T00:00:00.000+00:00'" };
        let age = format!("UPDATE receipt SET created_at = {age} WHERE idempotency_key = 'old'");
        filler.connection().execute_unprepared(&age).await.unwrap();
        database.becomes("SELECT count(*) FROM receipt", 1).await;

        assert_eq!(ann.send("hello", new).await, kept);
        let again = ann.send("hello", old).await;
        assert_ne!(again["message"]["id"], forgotten["message"]["id"]);
        assert_eq!(ann.messages(forgotten["conversation"]["id"].as_str().unwrap()).await.len(), 2, "only its receipt went");

        // It reads nothing but them, however many there are.
        let statements = server.take_all_statements();
        server.stop().await;
        filler.receipts("cid", 100_000).await;
        filler.analyze().await;
        let erase = statements.into_iter().find(|statement| statement.sql.contains("DELETE FROM receipt"));
        let plan = assert_indexed(&filler, &erase.unwrap()).await;
        assert!(plan.iter().any(|line| line.contains("receipt_age")), "{plan:#?}");
    }

    async fn what_was_deleted_does_not_come_back(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        let input = json!({ "idempotencyKey": "once", "conversationId": id });
        ann.send("more", input.clone()).await;
        ann.data(DELETE, json!({ "id": id })).await;
        assert_eq!(ann.try_send("more", input).await.code(), "NOT_FOUND");
        assert_eq!(ann.code(DELETE, json!({ "id": id })).await, "NOT_FOUND");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 4, "nothing was sent twice");
    }
}
