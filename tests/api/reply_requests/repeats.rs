//! A request that is repeated with its key, at whichever server and whenever, goes on and stores nothing twice.

use std::time::Duration;

use causerie::assistant::{Failure, FailureCode};
use causerie::receipts;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{all, kinds, subscription, text, two_servers};
use crate::http::Way;
use crate::support::{Client, Settings, TestDatabase, TestServer, on_both_databases};

/// Keeps ann from writing until it is unblocked.
pub async fn block(database: &TestDatabase) -> DatabaseConnection {
    let blocker = database.raw().await;
    let lock = if database.is_postgres() {
        "BEGIN; SELECT 1 FROM account WHERE user_id = 'ann' FOR UPDATE"
    } else {
        "BEGIN IMMEDIATE"
    };
    blocker.execute_unprepared(lock).await.unwrap();
    blocker
}

pub async fn unblock(blocker: DatabaseConnection) {
    blocker.execute_unprepared("ROLLBACK").await.unwrap();
    blocker.close().await.unwrap();
}

fn follow(client: &Client, way: Way, input: &Value) -> JoinHandle<Vec<Value>> {
    let (client, input) = (client.clone(), input.clone());
    tokio::spawn(async move { all(&client, way, "sendMessage", &input, None).await })
}

on_both_databases! {
    async fn while_the_first_request_is_being_written(database) {
        let [(one, first), (two, second)] = two_servers(&database).await;
        let ann = one.user("ann");
        ann.data("mutation { createConversation(input: {}) { conversation { id } } }", json!({})).await;
        let blocker = block(&database).await;
        let input = json!({ "content": "hello", "idempotencyKey": "one" });
        // Each has begun to write when its stream is there.
        let mut streams = Vec::new();
        for url in [one.url(), two.url(), one.url()] {
            let variables = json!({ "input": input });
            streams.push(ann.at(url).subscribe(&subscription("sendMessage"), variables).await);
        }
        drop(streams.pop());
        let followers = [follow(&ann.at(two.url()), Way::Parts, &input), follow(&ann, Way::Socket, &input)];
        unblock(blocker).await;
        let attempt = tokio::select! {
            attempt = first.next() => attempt,
            attempt = second.next() => attempt,
        };
        attempt.say("Good morning");
        attempt.finish();
        let mut replies = Vec::new();
        for follower in followers {
            let events = follower.await.unwrap();
            assert_eq!((kinds(&events)[0], text(&events).as_str()), ("ReplyRequested", "Good morning"));
            replies.push(events[0]["reply"]["id"].clone());
        }
        for mut stream in streams {
            let first = stream.next().await.unwrap()["sendMessage"].take();
            assert_eq!(first["__typename"], "ReplyRequested");
            replies.push(first["reply"]["id"].clone());
        }
        replies.dedup();
        assert_eq!(replies.len(), 1, "all follow the same reply");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }

    async fn while_the_reply_is_queued_running_and_at_its_end(database) {
        let [(one, script), (two, other)] = two_servers(&database).await;
        let ann = one.user("ann");
        let elsewhere = ann.at(two.url());
        let busy = ann.send("first", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        let input = json!({ "content": "second", "conversationId": busy["conversation"]["id"], "idempotencyKey": "one" });
        let variables = json!({ "input": input });
        let mut begun = ann.subscribe(&subscription("sendMessage"), variables.clone()).await;
        let requested = begun.next().await.unwrap()["sendMessage"].take();
        assert_eq!((&requested["__typename"], &requested["reply"]["status"]), (&json!("ReplyRequested"), &json!("QUEUED")));
        drop(begun);

        let queued = follow(&elsewhere, Way::Socket, &input);
        let mut waiting = elsewhere.subscribe(&subscription("sendMessage"), variables.clone()).await;
        assert_eq!(waiting.next().await.unwrap()["sendMessage"], requested);
        attempt.finish();
        let attempt = tokio::select! {
            attempt = script.next() => attempt,
            attempt = other.next() => attempt,
        };
        attempt.say("Good");
        assert_eq!(waiting.next().await.unwrap()["sendMessage"]["__typename"], "ReplyStarted");
        let running = follow(&ann, Way::Parts, &input);
        let mut event = waiting.next().await.unwrap()["sendMessage"].take();
        assert_eq!(event["text"], "Good");
        drop(waiting);
        attempt.say(" morning");
        attempt.finish();

        for follower in [queued, running] {
            let events = follower.await.unwrap();
            assert_eq!((&events[0]["reply"]["id"], text(&events).as_str()), (&requested["reply"]["id"], "Good morning"));
        }
        for way in Way::STREAMS {
            let ended = all(&elsewhere, way, "sendMessage", &input, None).await;
            assert_eq!(kinds(&ended)[..2], ["ReplyRequested", "ReplyStarted"]);
            assert_eq!(text(&ended), "Good morning");
            // With a cursor it goes on from there, and does not begin anew.
            let cursor = event["cursor"].take();
            let rest = all(&elsewhere, way, "sendMessage", &input, cursor.as_str()).await;
            assert_eq!((kinds(&rest), text(&rest).as_str()), (vec!["ReplyText", "ReplyEnded"], " morning"));
            let rest = all(&ann, way, "sendMessage", &input, requested["cursor"].as_str()).await;
            assert_eq!((kinds(&rest)[0], text(&rest).as_str()), ("ReplyStarted", "Good morning"));
            event["cursor"] = cursor;
        }
        // The mutation of the same name knows the key as well.
        assert_eq!(ann.send("second", input).await["reply"]["content"], "Good morning");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 4);
    }

    async fn after_the_reply_has_failed(database) {
        let [(one, script), (two, _)] = two_servers(&database).await;
        let ann = one.user("ann");
        let input = json!({ "content": "hello", "idempotencyKey": "one" });
        let following = follow(&ann, Way::Events, &input);
        let attempt = script.next().await;
        attempt.say("Good");
        attempt.send(Err(Failure { code: FailureCode::Truncated, message: "It broke.".to_owned(), retryable: true }));
        let events = following.await.unwrap();
        assert_eq!(events.last().unwrap()["message"]["status"], "FAILED");
        for way in Way::STREAMS {
            let again = all(&ann.at(two.url()), way, "sendMessage", &input, None).await;
            assert_eq!((&again[0]["reply"]["id"], &again[0]["reply"]["status"]), (&events[0]["reply"]["id"], &json!("FAILED")));
            assert_eq!(again[1..], events[1..]);
        }
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }

    async fn a_cursor_never_sends_anything(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let cursor = async |input: &Value| {
            all(&ann, Way::Events, "sendMessage", input, None).await[0]["cursor"].as_str().unwrap().to_owned()
        };
        let input = json!({ "content": "hello", "idempotencyKey": "one" });
        let one = cursor(&input).await;
        let two = cursor(&json!({ "content": "hello", "idempotencyKey": "two" })).await;
        for (input, after, code, path) in [
            // A key that is not known, or no longer.
            (json!({ "content": "hello", "idempotencyKey": "new" }), one.as_str(), "BAD_USER_INPUT", Some("after")),
            (input.clone(), two.as_str(), "BAD_USER_INPUT", Some("after")),
            (input.clone(), "nonsense", "BAD_USER_INPUT", Some("after")),
            (json!({ "content": "other", "idempotencyKey": "one" }), one.as_str(), "IDEMPOTENCY_MISMATCH", None),
        ] {
            let told = all(&ann, Way::Events, "sendMessage", &input, Some(after)).await;
            assert_eq!((told.len(), &told[0]["error"]["code"]), (1, &json!(code)), "{input}: {told:?}");
            assert_eq!(told[0]["error"]["field"].as_str(), path);
        }
        // Nobody else can continue it.
        let bob = all(&server.user("bob"), Way::Events, "sendMessage", &input, Some(&one)).await;
        assert_eq!(bob[0]["error"]["field"], "after");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 4);
        let revision = "SELECT revision FROM account WHERE user_id = 'ann'";
        let before = database.number(revision).await;
        assert_eq!(kinds(&all(&ann, Way::Events, "sendMessage", &input, Some(&one)).await)[0], "ReplyStarted");
        assert_eq!(database.number(revision).await, before, "to go on is to read");
    }

    async fn a_key_that_has_expired_does_not_send_again_what_is_continued(database) {
        let forgetful = receipts::Options { keep: Duration::ZERO, period: Duration::from_millis(10) };
        let server = TestServer::with(&database, Settings { receipts: forgetful, ..Settings::default() }).await;
        let ann = server.user("ann");
        let input = json!({ "content": "hello", "idempotencyKey": "one" });
        let events = all(&ann, Way::Events, "sendMessage", &input, None).await;
        database.becomes("SELECT count(*) FROM receipt", 0).await;
        let told = all(&ann, Way::Events, "sendMessage", &input, events[0]["cursor"].as_str()).await;
        assert_eq!(told[0]["error"]["field"], "after");
        assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    }
}
