//! Replies while the tree changes around them.

use std::time::Duration;

use causerie::assistant::Speaker;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{ACTIVATE, DELETE, EDIT, FORK, REGENERATE, act, contents, id, try_do};
use crate::support::{
    Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer, on_both_databases,
};

async fn with_script(database: &TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let server = TestServer::with(database, Settings { assistant, ..Settings::default() }).await;
    (server, script)
}

/// Sends a message without waiting for its reply.
async fn ask(client: &Client, content: &str, conversation: Option<&str>) -> Value {
    client.send(content, json!({ "conversationId": conversation, "awaitReply": false })).await
}

/// Ends a reply with `text`, and waits until it has.
async fn finish(server: &TestServer, attempt: &ScriptedAttempt, text: &str, reply: &Value) {
    attempt.say(text);
    attempt.finish();
    server.replies().wait_for_end("ann", id(reply).parse().unwrap()).await.unwrap();
}

fn shown(attempt: &ScriptedAttempt) -> Vec<(Speaker, &str)> {
    attempt.prompt.turns.iter().map(|turn| (turn.speaker, turn.content.as_str())).collect()
}

const NO_WAIT: fn() -> Value = || json!({ "awaitReply": false });

on_both_databases! {
    async fn a_reply_is_shown_what_leads_to_it_wherever_the_path_is(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let one = ask(&ann, "one", None).await;
        let conversation = id(&one["conversation"]);
        finish(&server, &script.next().await, "first", &one["reply"]).await;
        let two = ask(&ann, "two", Some(&conversation)).await;
        let running = script.next().await;
        // Both wait; when the second one begins, neither is on the path any more.
        let other = act(&ann, EDIT, &id(&two["message"]), json!({ "content": "zwei", "awaitReply": false })).await;
        assert_eq!(other["reply"]["status"], "QUEUED");
        let root = act(&ann, EDIT, &id(&one["message"]), json!({ "content": "eins", "awaitReply": false })).await;
        assert_eq!(contents(&ann, &conversation, None).await, ["eins", ""]);
        finish(&server, &running, "second", &two["reply"]).await;
        // The version of the first message stands before the others, as its place does.
        let attempt = script.next().await;
        assert_eq!(shown(&attempt), [(Speaker::User, "eins")]);
        finish(&server, &attempt, "erste", &root["reply"]).await;
        let attempt = script.next().await;
        assert_eq!(shown(&attempt), [(Speaker::User, "one"), (Speaker::Assistant, "first"), (Speaker::User, "zwei")]);
        finish(&server, &attempt, "zweite", &other["reply"]).await;
        let branch = contents(&ann, &conversation, Some(&id(&two["reply"]))).await;
        assert_eq!(branch, ["one", "first", "two", "second"]);
        // A regeneration does not see the reply that it is another version of, nor what hangs below that.
        act(&ann, REGENERATE, &id(&two["reply"]), NO_WAIT()).await;
        let attempt = script.next().await;
        assert_eq!(shown(&attempt), [(Speaker::User, "one"), (Speaker::Assistant, "first"), (Speaker::User, "two")]);
        attempt.finish();
    }

    async fn a_reply_goes_on_when_the_path_leaves_it(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let one = ask(&ann, "one", None).await;
        let conversation = id(&one["conversation"]);
        finish(&server, &script.next().await, "first", &one["reply"]).await;
        let again = act(&ann, REGENERATE, &id(&one["reply"]), NO_WAIT()).await;
        let running = script.next().await;
        act(&ann, ACTIVATE, &id(&one["reply"]), json!({})).await;
        assert_eq!(contents(&ann, &conversation, None).await, ["one", "first"]);
        finish(&server, &running, "other", &again["reply"]).await;
        assert_eq!(contents(&ann, &conversation, Some(&id(&again["reply"]))).await, ["one", "other"]);
        assert_eq!(contents(&ann, &conversation, None).await, ["one", "first"]);
    }

    async fn a_deleted_reply_is_given_up_and_the_next_one_begins(database) {
        let (server, script) = with_script(&database).await;
        let elsewhere = TestServer::start(&database).await;
        let ann = server.user("ann");
        let one = ask(&ann, "one", None).await;
        let conversation = id(&one["conversation"]);
        let running = script.next().await;
        let waiting = act(&ann, EDIT, &id(&one["message"]), json!({ "content": "uno", "awaitReply": false })).await;
        assert_eq!(waiting["reply"]["status"], "QUEUED");
        let (replies, reply) = (server.replies().clone(), id(&one["reply"]).parse().unwrap());
        let reader = tokio::spawn(async move { replies.wait_for_end("ann", reply).await });
        // Through another server than the one that writes; that one takes up what waits.
        act(&ann.at(elsewhere.url()), DELETE, &id(&one["message"]), json!({})).await;
        let next = server.replies().wait_for_end("ann", id(&waiting["reply"]).parse().unwrap());
        let status = ann.data("query($id: ID!) { message(id: $id) { status } }", json!({ "id": id(&waiting["reply"]) })).await;
        assert_ne!(status["message"]["status"], "QUEUED", "the deletion itself takes up what waits");
        next.await.unwrap();
        timeout(Duration::from_secs(5), running.dropped()).await.expect("the upstream is closed");
        let gone = timeout(Duration::from_secs(5), reader).await.expect("who waited learns of it").unwrap();
        assert!(matches!(gone, Err(causerie::error::Error::NotFound(_))));
        let ended = elsewhere.replies().wait_for_end("ann", id(&waiting["reply"]).parse().unwrap()).await.unwrap();
        assert_eq!(contents(&ann, &conversation, None).await, ["uno".to_owned(), ended.content]);
    }

    async fn on_busy_says_what_happens_to_the_reply_under_way(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let one = ask(&ann, "one", None).await;
        let conversation = id(&one["conversation"]);
        let mut running = script.next().await;
        let before = contents(&ann, &conversation, None).await;
        let reject = json!({ "content": "x", "onBusy": "REJECT", "idempotencyKey": "k" });
        assert_eq!(try_do(&ann, EDIT, &id(&one["message"]), reject).await.code(), "CONVERSATION_BUSY");
        let reject = json!({ "onBusy": "REJECT" });
        assert_eq!(try_do(&ann, REGENERATE, &id(&one["reply"]), reject).await.code(), "CONVERSATION_BUSY");
        assert_eq!(try_do(&ann, FORK, &id(&one["reply"]), json!({})).await.code(), "CONVERSATION_BUSY");
        act(&ann, FORK, &id(&one["message"]), json!({})).await;
        assert_eq!(contents(&ann, &conversation, None).await, before, "nothing was done");
        let mut last = id(&one["reply"]);
        for on_busy in ["INTERRUPT", "ROLLBACK"] {
            let input = json!({ "onBusy": on_busy, "awaitReply": false });
            let again = act(&ann, REGENERATE, &last, input).await;
            running.dropped().await;
            running = script.next().await;
            let stopped = server.replies().wait_for_end("ann", last.parse().unwrap()).await.unwrap();
            assert_eq!(stopped.status, causerie::entity::message::Status::Stopped);
            assert_eq!(contents(&ann, &conversation, None).await, ["one", ""]);
            last = id(&again["reply"]);
        }
        // The key of the request that was refused is free.
        let input = json!({ "content": "x", "onBusy": "INTERRUPT", "idempotencyKey": "k", "awaitReply": false });
        let edited = act(&ann, EDIT, &id(&one["message"]), input).await;
        finish(&server, &script.next().await, "y", &edited["reply"]).await;
        assert_eq!(contents(&ann, &conversation, None).await, ["x", "y"]);
    }
}
