//! What becomes of the parts when a reply fails, is stopped, retried or taken over.

use std::time::Duration;

use causerie::assistant::{Failure, FailureCode, FinishReason};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::*;
use crate::support::on_both_databases;

const STOP: &str = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { id } } }";
const RETRY: &str =
    "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";

on_both_databases! {
    async fn a_reply_that_waits_for_tools_has_failed_and_keeps_what_it_has(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let sent = ann.send("What time is it?", json!({ "awaitReply": false })).await;
        let id = &sent["reply"]["id"];
        let attempt = script.next().await;
        attempt.say("Let me see.");
        attempt.send(Ok(call("call_0")));
        finish(&attempt, FinishReason::ToolCalls);
        ended(&server, "ann", id).await;
        let reply = message(&ann, id).await;
        assert_eq!((&reply["status"], &reply["finishReason"]), (&json!("FAILED"), &json!("TOOL_CALLS")));
        assert_eq!(reply["failure"]["code"], "TOOLS_UNSUPPORTED");
        assert_eq!(reply["failure"]["retryable"], false);
        assert_eq!(outline(&reply), ["Let me see.", "call call_0"]);
        // The next prompt leaves it out, as it does any reply that has failed.
        ann.send("And?", json!({ "conversationId": sent["conversation"]["id"], "awaitReply": false })).await;
        assert_eq!(script.next().await.prompt.turns.last().unwrap().content, "What time is it?\n\nAnd?");
    }

    async fn a_reply_that_is_stopped_or_fails_keeps_its_parts_and_a_retry_begins_without_them(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, mut attempt) = ask(&ann, &script).await;
        for stopped in [true, false] {
            attempt.say("Well, ");
            attempt.send(Ok(call("call_0")));
            attempt.reason("Is it?");
            if stopped {
                while outline(&message(&ann, &id).await).len() < 3 {}
                ann.data(STOP, json!({ "id": id })).await;
                attempt.dropped().await;
            } else {
                let message = "It broke.".to_owned();
                attempt.send(Err(Failure { code: FailureCode::Truncated, message, retryable: true }));
            }
            ended(&server, "ann", &id).await;
            let reply = message(&ann, &id).await;
            assert_eq!(reply["status"], if stopped { "STOPPED" } else { "FAILED" });
            assert_eq!(outline(&reply), ["Well, ", "call call_0", "[Is it?]"]);
            assert_ne!(reply["parts"][2]["finishedAt"], Value::Null, "nothing more comes");
            ann.data(RETRY, json!({ "id": id })).await;
            assert_eq!(outline(&message(&ann, &id).await).len(), 0);
            attempt = script.next().await;
        }
        attempt.say("It is.");
        attempt.finish();
        ended(&server, "ann", &id).await;
        assert_eq!(outline(&message(&ann, &id).await), ["It is."]);
    }

    async fn a_successor_begins_without_the_parts_and_a_last_attempt_keeps_them(database) {
        let replies = reply::Options { attempts: 2, lease: Duration::from_mins(1), ..options() };
        let (server, script) = scripted(&database, replies).await;
        let ann = server.user("ann");
        let (id, first) = ask(&ann, &script).await;
        let mut events = ann.subscribe(PROGRESS, json!({ "id": id })).await;
        first.reason("Hm, first.");
        first.say("One");
        with_content(&ann, &id, "One").await;
        let expected = [("ReplyStarted", Value::Null), ("ReplyReasoning", json!("Hm, first.")), ("ReplyText", json!("One"))];
        for (kind, text) in expected {
            let event = events.progress().await;
            assert_eq!((&event["__typename"], &event["text"]), (&json!(kind), &text));
        }
        // Its server is lost, as far as the others know.
        expire(&database).await;
        let second = script.next().await;
        first.dropped().await;
        let restarted = events.progress().await;
        assert_eq!((&restarted["__typename"], &restarted["attempt"]), (&json!("ReplyRestarted"), &json!(2)));
        assert_eq!(outline(&message(&ann, &id).await).len(), 0);
        second.say("Two");
        second.reason("Hm, second.");
        while outline(&message(&ann, &id).await).len() < 2 {}
        expire(&database).await;
        ended(&server, "ann", &id).await;
        let reply = message(&ann, &id).await;
        assert_eq!(reply["failure"]["code"], "INTERRUPTED");
        assert_eq!(outline(&reply), ["Two", "[Hm, second.]"]);
        assert_ne!(reply["parts"][1]["finishedAt"], Value::Null, "nothing more comes");
    }

    async fn a_reply_that_takes_too_long_says_how_long_it_had(database) {
        let replies = reply::Options { timeout: Duration::from_millis(300), ..options() };
        let (server, script) = scripted(&database, replies).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.reason("Hm");
        ended(&server, "ann", &id).await;
        let reply = message(&ann, &id).await;
        assert_eq!(reply["failure"]["code"], "ASSISTANT_TIMEOUT");
        assert_eq!(reply["failure"]["message"], "The assistant did not finish within 300ms.");
        assert_eq!(outline(&reply), ["[Hm]"]);
    }
}

/// Leaves the running reply as a lost server does.
async fn expire(database: &TestDatabase) {
    let (past, nobody) = if database.is_postgres() {
        ("now() - interval '1 hour'", format!("'{}'", Uuid::nil()))
    } else {
        ("'2020-01-01T00:00:00+00:00'", format!("X'{}'", Uuid::nil().simple()))
    };
    let sql = format!(
        "UPDATE message SET lease_until = {past}, lease_owner = {nobody} WHERE status = 'GENERATING'"
    );
    let connection = database.raw().await;
    connection.execute_unprepared(&sql).await.unwrap();
    connection.close().await.unwrap();
}
