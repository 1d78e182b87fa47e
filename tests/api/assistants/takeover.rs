//! A reply keeps its assistant, whichever server writes it.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{FILE, catalog, offering};
use crate::support::{Client, Settings, TestDatabase, TestServer, on_both_databases};

/// A server that takes messages, and leaves their replies to others.
async fn without_replies(database: &TestDatabase) -> TestServer {
    let mut settings = Settings { catalog: Some(catalog(FILE)), ..Settings::default() };
    settings.replies.replies = 0;
    TestServer::with(database, settings).await
}

/// Waits until a reply has ended.
async fn ended(client: &Client, reply: &Value) -> Value {
    let query = "query($id: ID!) { message(id: $id) { status assistantId content model
        parameters { temperature } failure { code retryable } } }";
    loop {
        let mut answer = client.data(query, json!({ "id": reply })).await;
        if !["QUEUED", "GENERATING"].contains(&answer["message"]["status"].as_str().unwrap()) {
            return answer["message"].take();
        }
        tokio::task::yield_now().await;
    }
}

/// The reply of `slow` that waits at a server without permits, once a server with `file` has ended it.
async fn taken_by(database: &TestDatabase, file: &str) -> Value {
    let first = without_replies(database).await;
    let ann = first.user("ann");
    let asked = json!({ "assistantId": "slow", "parameters": { "temperature": 1.0 }, "awaitReply": false });
    let sent = ann.send("hello", asked).await;
    assert_eq!(sent["reply"]["status"], "QUEUED");
    let second = offering(database, file).await;
    ended(&second.user("ann"), &sent["reply"]["id"]).await
}

on_both_databases! {
    async fn a_waiting_reply_is_written_by_the_assistant_that_was_chosen(database) {
        let reply = taken_by(&database, FILE).await;
        assert_eq!((&reply["status"], &reply["assistantId"]), (&json!("COMPLETE"), &json!("slow")));
        assert_eq!(reply["parameters"], json!({ "temperature": 1.0 }));
    }

    async fn a_server_without_the_assistant_fails_the_reply_and_asks_nobody_else(database) {
        let file = "default = \"fast\"\n[[assistant]]\nid = \"fast\"\nurl = \"echo\"\n";
        let reply = taken_by(&database, file).await;
        assert_eq!((&reply["status"], &reply["assistantId"]), (&json!("FAILED"), &json!("slow")));
        assert_eq!(reply["failure"], json!({ "code": "ASSISTANT_REJECTED", "retryable": false }));
        assert_eq!((&reply["content"], &reply["model"]), (&json!(""), &json!(null)));
    }

    async fn a_server_whose_operator_has_replaced_the_assistant_asks_the_one_in_its_place(database) {
        let file = "default = \"fast\"\n[[assistant]]\nid = \"fast\"\nurl = \"echo\"\n
            [[assistant]]\nid = \"slow\"\nreplaced_by = \"fast\"\n";
        let reply = taken_by(&database, file).await;
        assert_eq!((&reply["status"], &reply["model"]), (&json!("COMPLETE"), &json!("echo")));
    }

    async fn a_running_reply_of_a_lost_server_keeps_its_assistant(database) {
        let first = without_replies(&database).await;
        let asked = json!({ "assistantId": "slow", "awaitReply": false });
        let sent = first.user("ann").send("hello", asked).await;
        // As a server has left it that was killed long ago.
        let lost = "UPDATE message SET status = 'GENERATING', attempt = 1, lease_owner = id,
            lease_until = '2026-01-01T00:00:00.000+00:00' WHERE status = 'QUEUED'";
        database.raw().await.execute_unprepared(lost).await.unwrap();
        // The default assistant of the other server is another one.
        let second = offering(&database, FILE).await;
        let reply = ended(&second.user("ann"), &sent["reply"]["id"]).await;
        assert_eq!((&reply["status"], &reply["assistantId"]), (&json!("COMPLETE"), &json!("slow")));
        drop(first);
    }
}
