//! A write in one statement sees the rows as they were when it began, before it locked the account. What was written
//! meanwhile is heeded nevertheless.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};

use super::{WAITING, hold, holder};
use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer};

/// A conversation of one turn.
async fn conversation(ann: &Client, script: &ScriptedAssistant, content: &str) -> Value {
    let sending = tokio::spawn({
        let (ann, content) = (ann.clone(), content.to_owned());
        async move { ann.send(&content, json!({})).await }
    });
    let attempt = script.next().await;
    attempt.say("so");
    attempt.finish();
    sending.await.unwrap()
}

/// Changes the reply of `sent` as another server would do, and lets the write go on.
async fn change_reply(blocker: &DatabaseConnection, sent: &Value, set: &str) {
    let id = sent["reply"]["id"].as_str().unwrap();
    let sql = format!(
        "UPDATE account SET revision = revision + 1 WHERE user_id = 'ann';
        UPDATE message SET finished_at = NULL, {set} WHERE user_id = 'ann' AND id = '{id}';
        COMMIT"
    );
    blocker.execute_unprepared(&sql).await.unwrap();
}

async fn begin() -> (TestDatabase, TestServer, ScriptedAssistant, DatabaseConnection) {
    let database = TestDatabase::postgres().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.user_replies = 1;
    let server = TestServer::with(&database, settings).await;
    let blocker = holder(&database).await;
    (database, server, script, blocker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_send_counts_a_reply_that_began_while_it_waited() {
    let (database, server, script, blocker) = begin().await;
    let ann = server.user("ann");
    let (here, elsewhere) =
        (conversation(&ann, &script, "here").await, conversation(&ann, &script, "elsewhere").await);

    hold(&blocker).await;
    let input = json!({ "conversationId": here["conversation"]["id"], "awaitReply": false });
    let sending = tokio::spawn({
        let ann = ann.clone();
        async move { ann.send("two", input).await }
    });
    database.becomes(WAITING, 1).await;
    let leased =
        "status = 'GENERATING', lease_owner = gen_random_uuid(), lease_until = now() + interval '1 hour'";
    change_reply(&blocker, &elsewhere, leased).await;
    assert_eq!(sending.await.unwrap()["reply"]["status"], "QUEUED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn an_end_starts_a_reply_that_was_queued_while_it_waited() {
    let (database, server, script, blocker) = begin().await;
    let ann = server.user("ann");
    let queued = conversation(&ann, &script, "elsewhere").await;
    let sent = ann.send("here", json!({ "awaitReply": false })).await;
    let attempt = script.next().await;

    hold(&blocker).await;
    attempt.say("so");
    attempt.finish();
    database.becomes(WAITING, 1).await;
    change_reply(&blocker, &queued, "status = 'QUEUED'").await;
    let _next = script.next().await;
    let ids = format!("('{}', '{}')", id(&sent), id(&queued));
    let revisions = format!("SELECT count(DISTINCT revision) FROM message WHERE id IN {ids}");
    assert_eq!(
        database.number(&revisions).await,
        1,
        "one transaction has ended the one and started the other"
    );
}

fn id(sent: &Value) -> &str {
    sent["reply"]["id"].as_str().unwrap()
}
