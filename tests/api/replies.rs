//! A reply belongs to its conversation: stopping, retrying, and what a second message does.

use causerie::assistant::{Failure, FailureCode, Speaker};
use serde_json::{Value, json};

use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases};

const STOP: &str = "mutation($id: ID!) {
  stopReply(input: { messageId: $id }) { reply { id status content finishedAt } } }";
const RETRY: &str = "mutation($id: ID!, $await: Boolean) {
  retryReply(input: { messageId: $id, awaitReply: $await }) { reply { id status content failure { code } } } }";
const REPLY: &str = "query($id: ID!) { message(id: $id) { status content failure { code } } }";

async fn with_script(database: &TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let server = TestServer::with(database, Settings { assistant, ..Settings::default() }).await;
    (server, script)
}

/// Sends without waiting, and returns the ids of conversation and reply, and the reply's status.
async fn ask(
    client: &Client,
    content: &str,
    conversation: Option<&str>,
    on_busy: &str,
) -> (String, String, String) {
    let input = json!({ "conversationId": conversation, "awaitReply": false, "onBusy": on_busy });
    let sent = client.send(content, input).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&sent["conversation"]["id"]), text(&sent["reply"]["id"]), text(&sent["reply"]["status"]))
}

async fn stop(client: &Client, id: &str) -> Value {
    client.data(STOP, json!({ "id": id })).await["stopReply"]["reply"].take()
}

async fn reply(client: &Client, id: &str) -> Value {
    client.data(REPLY, json!({ "id": id })).await["message"].take()
}

/// What the conversation shows, as "role: content" with the status of what is not complete.
async fn shown(client: &Client, conversation: &str) -> Vec<String> {
    let messages = client.messages(conversation).await;
    let show = |message: &Value| match message["status"].as_str().unwrap() {
        "COMPLETE" => message["content"].as_str().unwrap().to_owned(),
        status => format!("{} ({status})", message["content"].as_str().unwrap()),
    };
    for (index, message) in messages.iter().enumerate() {
        assert_eq!(message["position"], index + 1, "positions have no gaps");
        let parent = index.checked_sub(1).map_or(Value::Null, |before| messages[before]["id"].clone());
        assert_eq!(message["parent"]["id"], parent, "a message hangs below the one before it");
    }
    messages.iter().map(show).collect()
}

on_both_databases! {
    async fn stop_works_before_the_first_word_and_between_words_and_closes_the_upstream(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        for text in ["", "Half a sen"] {
            let (_, id, status) = ask(&ann, "Tell me", None, "ENQUEUE").await;
            assert_eq!(status, "GENERATING");
            let attempt = script.next().await;
            if !text.is_empty() {
                attempt.say(text);
                while reply(&ann, &id).await["content"] != text {}
            }
            let stopped = stop(&ann, &id).await;
            assert_eq!((stopped["status"].as_str(), stopped["content"].as_str()), (Some("STOPPED"), Some(text)));
            assert_ne!(stopped["finishedAt"], Value::Null);
            attempt.dropped().await;
            assert_eq!(stop(&ann, &id).await, stopped, "stopping twice is stopping once");
        }
    }

    async fn a_reply_that_waits_is_stopped_at_once_and_its_turn_passes(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let (conversation, _, _) = ask(&ann, "one", None, "ENQUEUE").await;
        let (_, second, status) = ask(&ann, "two", Some(&conversation), "ENQUEUE").await;
        assert_eq!(status, "QUEUED");
        let (_, third, _) = ask(&ann, "three", Some(&conversation), "ENQUEUE").await;
        assert_eq!(stop(&ann, &second).await["status"], "STOPPED");
        let first = script.next().await;
        first.say("first");
        first.finish();
        let next = script.next().await;
        let turns: Vec<_> = next.prompt.turns.iter().map(|turn| (turn.speaker, turn.content.as_str())).collect();
        assert_eq!(turns, [(Speaker::User, "one"), (Speaker::Assistant, "first"), (Speaker::User, "two\n\nthree")]);
        next.say("third");
        next.finish();
        server.replies().wait_for_end("ann", third.parse().unwrap()).await.unwrap();
        let shown = shown(&ann, &conversation).await;
        assert_eq!(shown, ["one", "first", "two", " (STOPPED)", "three", "third"]);
    }

    async fn stop_answers_not_found_for_what_is_no_reply_of_the_viewer(database) {
        let server = TestServer::start(&database).await;
        let sent = server.user("ann").send("hello", json!({})).await;
        let (message, reply) = (&sent["message"]["id"], &sent["reply"]["id"]);
        assert_eq!(server.user("ann").code(STOP, json!({ "id": message })).await, "NOT_FOUND");
        assert_eq!(server.user("bob").code(STOP, json!({ "id": reply })).await, "NOT_FOUND");
        assert_eq!(server.user("bob").code(RETRY, json!({ "id": reply })).await, "NOT_FOUND");
        assert_eq!(stop(&server.user("ann"), reply.as_str().unwrap()).await["status"], "COMPLETE");
        assert_eq!(server.user("ann").code(RETRY, json!({ "id": reply })).await, "INVALID_STATE");
    }

    async fn retry_writes_the_same_reply_anew(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let (conversation, id, _) = ask(&ann, "Tell me", None, "ENQUEUE").await;
        let attempt = script.next().await;
        attempt.say("It is");
        attempt.send(Err(Failure { code: FailureCode::Truncated, message: "It broke.".to_owned(), retryable: true }));
        let failed = server.replies().wait_for_end("ann", id.parse().unwrap()).await.unwrap();
        assert_eq!(failed.content, "It is");
        assert_eq!(reply(&ann, &id).await["failure"]["code"], "TRUNCATED");

        let retried = ann.data(RETRY, json!({ "id": id, "await": false })).await;
        assert_eq!(retried["retryReply"]["reply"]["status"], "GENERATING");
        assert_eq!(retried["retryReply"]["reply"]["content"], "");
        let again = ann.data(RETRY, json!({ "id": id, "await": false })).await;
        assert_eq!(again, retried, "retrying twice is retrying once");
        let attempt = script.next().await;
        attempt.say("It is so.");
        attempt.finish();
        let ended = server.replies().wait_for_end("ann", id.parse().unwrap()).await.unwrap();
        assert_eq!((ended.content.as_str(), ended.attempt), ("It is so.", 2));
        assert_eq!(reply(&ann, &id).await["failure"], Value::Null);
        assert_eq!(shown(&ann, &conversation).await, ["Tell me", "It is so."]);
    }

    async fn a_retry_behind_a_running_reply_waits_for_its_turn(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let (conversation, first, _) = ask(&ann, "one", None, "ENQUEUE").await;
        let stopped = script.next().await;
        stop(&ann, &first).await;
        stopped.dropped().await;
        let (_, second, _) = ask(&ann, "two", Some(&conversation), "ENQUEUE").await;
        let running = script.next().await;
        let retried = ann.data(RETRY, json!({ "id": first, "await": false })).await;
        assert_eq!(retried["retryReply"]["reply"]["status"], "QUEUED");
        running.say("second");
        running.finish();
        let attempt = script.next().await;
        assert_eq!(attempt.prompt.turns.last().unwrap().content, "one", "it sees what came before it only");
        attempt.say("first");
        attempt.finish();
        server.replies().wait_for_end("ann", first.parse().unwrap()).await.unwrap();
        server.replies().wait_for_end("ann", second.parse().unwrap()).await.unwrap();
        assert_eq!(shown(&ann, &conversation).await, ["one", "first", "two", "second"]);
    }

    async fn reject_stores_nothing_while_a_reply_is_under_way(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let (conversation, id, _) = ask(&ann, "one", None, "REJECT").await;
        let input = json!({ "conversationId": conversation, "onBusy": "REJECT", "idempotencyKey": "k" });
        assert_eq!(ann.try_send("two", input.clone()).await.code(), "CONVERSATION_BUSY");
        let attempt = script.next().await;
        attempt.say("first");
        attempt.finish();
        server.replies().wait_for_end("ann", id.parse().unwrap()).await.unwrap();
        assert_eq!(shown(&ann, &conversation).await, ["one", "first"]);
        let sending = tokio::spawn(async move { ann.try_send("two", input).await });
        let attempt = script.next().await;
        attempt.say("second");
        attempt.finish();
        assert_eq!(sending.await.unwrap().data()["sendMessage"]["reply"]["content"], "second");
    }

    async fn interrupt_stops_what_is_under_way_and_keeps_its_text(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let (conversation, first, _) = ask(&ann, "one", None, "ENQUEUE").await;
        let running = script.next().await;
        running.say("half");
        while reply(&ann, &first).await["content"] != "half" {}
        ask(&ann, "two", Some(&conversation), "ENQUEUE").await;
        let (_, third, _) = ask(&ann, "three", Some(&conversation), "INTERRUPT").await;
        running.dropped().await;
        let attempt = script.next().await;
        attempt.say("third");
        attempt.finish();
        server.replies().wait_for_end("ann", third.parse().unwrap()).await.unwrap();
        let expected = ["one", "half (STOPPED)", "two", " (STOPPED)", "three", "third"];
        assert_eq!(shown(&ann, &conversation).await, expected);
    }

    async fn rollback_takes_the_unfinished_turns_off_the_path(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let (conversation, zeroth, _) = ask(&ann, "zero", None, "ENQUEUE").await;
        let attempt = script.next().await;
        attempt.say("0");
        attempt.finish();
        server.replies().wait_for_end("ann", zeroth.parse().unwrap()).await.unwrap();
        let (_, first, _) = ask(&ann, "one", Some(&conversation), "ENQUEUE").await;
        let running = script.next().await;
        ask(&ann, "two", Some(&conversation), "ENQUEUE").await;
        let (_, third, _) = ask(&ann, "three", Some(&conversation), "ROLLBACK").await;
        running.dropped().await;
        let attempt = script.next().await;
        let turns: Vec<_> = attempt.prompt.turns.iter().map(|turn| turn.content.as_str()).collect();
        assert_eq!(turns, ["zero", "0", "three"]);
        attempt.say("3");
        attempt.finish();
        server.replies().wait_for_end("ann", third.parse().unwrap()).await.unwrap();
        assert_eq!(shown(&ann, &conversation).await, ["zero", "0", "three", "3"]);
        assert_eq!(reply(&ann, &first).await["status"], "STOPPED");
    }

    async fn deleting_the_conversation_stops_its_reply(database) {
        let (server, script) = with_script(&database).await;
        let ann = server.user("ann");
        let (conversation, id, _) = ask(&ann, "one", None, "ENQUEUE").await;
        let attempt = script.next().await;
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
        ann.data(delete, json!({ "id": conversation })).await;
        attempt.dropped().await;
        assert_eq!(reply(&ann, &id).await, Value::Null);
    }
}
