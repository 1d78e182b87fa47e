//! How many replies of a user may wait: the database counts them, whichever servers were asked.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::http::{Way, Ways};
use crate::support::{
    Answer, Client, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases,
};

const LIMIT: u32 = 3;
const ROWS: &str = "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM receipt)";
const QUEUED: &str = "SELECT count(*) FROM message WHERE status = 'QUEUED'";

async fn server(database: &TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let settings = Settings { assistant, user_queued: LIMIT, ..Settings::default() };
    (TestServer::with(database, settings).await, script)
}

/// Sends a message without waiting for its reply.
async fn ask(client: &Client, conversation: Option<&str>, more: Value) -> Answer {
    let mut input = json!({ "conversationId": conversation, "awaitReply": false });
    input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    client.try_send("question", input).await
}

/// A conversation whose reply is being written.
async fn busy(client: &Client) -> Value {
    ask(client, None, json!({})).await.data()["sendMessage"].take()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

on_both_databases! {
    async fn as_many_replies_wait_as_may_and_of_more_nothing_is_stored(database) {
        let (server, script) = server(&database).await;
        let ann = server.user("ann");
        let (one, two) = (busy(&ann).await, busy(&ann).await);
        let (first, second) = (text(&one["conversation"]["id"]), text(&two["conversation"]["id"]));
        let attempts = [script.next().await, script.next().await];
        for conversation in [first, second, first] {
            assert_eq!(ask(&ann, Some(conversation), json!({})).await.data()["sendMessage"]["reply"]["status"], "QUEUED");
        }

        let rows = database.number(ROWS).await;
        let refused = ask(&ann, Some(second), json!({ "idempotencyKey": "again" })).await;
        assert_eq!(refused.code(), "RATE_LIMITED");
        assert_eq!(refused.body["errors"][0]["extensions"]["retryAfter"], 5);
        let edit = "mutation($id: ID!) { editMessage(input: { messageId: $id, content: \"other\", awaitReply: false }) { message { id } } }";
        assert_eq!(ann.code(edit, json!({ "id": one["message"]["id"] })).await, "RATE_LIMITED");
        let regenerate = "mutation($id: ID!) { regenerateReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
        assert_eq!(ann.code(regenerate, json!({ "id": one["reply"]["id"] })).await, "RATE_LIMITED");
        let body = json!({ "message": "question", "conversation_id": first });
        let response = ann.post("/api/ann/chat").json(&body).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "5"));
        assert_eq!(database.number(ROWS).await, rows, "nothing was stored");
        assert_eq!(ann.messages(second).await.len(), 4, "the conversation is as long as it was");

        // What need not wait may come, and another user's count is another one.
        busy(&ann).await;
        let _third = script.next().await;
        let bob = server.user("bob");
        let theirs = busy(&bob).await;
        let _theirs = script.next().await;
        assert_eq!(ask(&bob, Some(text(&theirs["conversation"]["id"])), json!({})).await.data()["sendMessage"]["reply"]["status"], "QUEUED");

        // A reply has ended, the next one's turn has come, and with it somebody else's place is free.
        attempts[0].finish();
        let _next = script.next().await;
        database.becomes("SELECT count(*) FROM message WHERE status = 'QUEUED' AND user_id = 'ann'", 2).await;
        ask(&ann, Some(second), json!({ "idempotencyKey": "again" })).await.data();
        assert_eq!(ask(&ann, Some(second), json!({})).await.code(), "RATE_LIMITED");
        // Who interrupts what waits needs only one place.
        ask(&ann, Some(second), json!({ "onBusy": "INTERRUPT" })).await.data();
    }

    async fn a_stopped_reply_gives_its_place_away_and_has_to_find_another(database) {
        let (server, script) = server(&database).await;
        let ann = server.user("ann");
        let running = busy(&ann).await;
        let _attempt = script.next().await;
        let conversation = text(&running["conversation"]["id"]);
        let mut stopped = Value::Null;
        for _ in 0..LIMIT {
            stopped = ask(&ann, Some(conversation), json!({})).await.data()["sendMessage"]["reply"]["id"].take();
        }
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { status } } }";
        let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";
        for _ in 0..2 {
            ann.data(stop, json!({ "id": stopped })).await;
            assert_eq!(ann.data(retry, json!({ "id": stopped })).await["retryReply"]["reply"]["status"], "QUEUED");
        }
        ann.data(stop, json!({ "id": stopped })).await;
        ask(&ann, Some(conversation), json!({})).await.data();
        assert_eq!(ann.code(retry, json!({ "id": stopped })).await, "RATE_LIMITED");
        assert_eq!(database.number(QUEUED).await, i64::from(LIMIT));
    }

    async fn whichever_way_they_are_asked_for(database) {
        let (server, script) = server(&database).await;
        let ann = server.user("ann");
        let running = busy(&ann).await;
        let _attempt = script.next().await;
        let send = json!({
            "query": "mutation($id: ID!) { sendMessage(input: { content: \"x\", conversationId: $id, awaitReply: false }) { reply { status } } }",
            "variables": { "id": running["conversation"]["id"] },
        });
        let mut ways = Ways::of(&ann).await;
        for way in Way::WRITING {
            assert_eq!(ways.ask(way, &send).await.data()["sendMessage"]["reply"]["status"], "QUEUED");
        }
        assert_eq!(database.number(QUEUED).await, i64::from(LIMIT));
        for way in Way::WRITING {
            let body = ways.ask(way, &send).await.body;
            assert_eq!(body["data"], json!({ "sendMessage": null }));
            assert_eq!(body["errors"][0]["extensions"], json!({ "code": "RATE_LIMITED", "retryAfter": 5 }));
        }
        assert_eq!(database.number(QUEUED).await, i64::from(LIMIT));
    }

    async fn two_servers_count_together(database) {
        let ((one, script), (two, _other)) = (server(&database).await, server(&database).await);
        let (here, there) = (one.user("ann"), two.user("ann"));
        let running = busy(&here).await;
        let _attempt = script.next().await;
        let conversation = text(&running["conversation"]["id"]);
        let racers = (0..12).map(|number| {
            let client = if number % 2 == 0 { &here } else { &there };
            ask(client, Some(conversation), json!({}))
        });
        let answers = join_all(racers).await;
        let (sent, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.body.get("errors").is_none());
        assert_eq!(sent.len(), LIMIT as usize);
        assert!(refused.iter().all(|answer| answer.code() == "RATE_LIMITED"));
        assert_eq!(database.number(QUEUED).await, i64::from(LIMIT));
    }
}
