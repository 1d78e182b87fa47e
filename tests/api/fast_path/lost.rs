//! The answer to a write in one statement is lost, and the write is not.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};

use super::{WAITING, hold, holder};
use crate::support::{Proxy, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer};
use crate::usage::check_sums;

/// Cuts the network while a write in one statement is held up by `blocker`, and then lets it go on.
async fn lose_the_answer(database: &TestDatabase, proxy: &Proxy, blocker: &DatabaseConnection) {
    database.becomes(WAITING, 1).await;
    proxy.cut();
    proxy.mend();
    blocker.execute_unprepared("ROLLBACK").await.unwrap();
}

fn write(attempt: &ScriptedAttempt, text: &str) {
    attempt.say(text);
    attempt.finish();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_send_whose_answer_was_lost_is_found_and_its_reply_begun_once() {
    let (database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let (assistant, script) = ScriptedAssistant::new();
    let server = TestServer::with(&behind, Settings { assistant, ..Settings::default() }).await;
    let (ann, blocker) = (server.user("ann"), holder(&database).await);
    let first = ann.send("one", json!({ "awaitReply": false })).await;
    write(&script.next().await, "One.");
    let conversation = first["conversation"]["id"].as_str().unwrap().to_owned();
    while ann.messages(&conversation).await[1]["status"] != "COMPLETE" {
        tokio::task::yield_now().await;
    }

    for key in [json!("key"), Value::Null] {
        hold(&blocker).await;
        let sending = tokio::spawn({
            let (ann, input) =
                (ann.clone(), json!({ "conversationId": conversation, "idempotencyKey": key }));
            async move { ann.send("two", input).await }
        });
        lose_the_answer(&database, &proxy, &blocker).await;
        write(&script.next().await, "Two.");
        let sent = sending.await.unwrap();
        assert_eq!(
            (&sent["reply"]["status"], &sent["reply"]["content"]),
            (&json!("COMPLETE"), &json!("Two."))
        );
    }
    let messages = ann.messages(&conversation).await;
    let said: Vec<_> = messages.iter().map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["one", "One.", "two", "Two.", "two", "Two."]);
    assert_eq!(
        database.number("SELECT CAST(max(attempt) AS BIGINT) FROM message").await,
        1,
        "no reply was begun again"
    );
    check_sums(&database).await;
    assert_eq!(
        database.number("SELECT count(*) FROM usage_entry WHERE settled").await,
        3,
        "each is charged once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn an_end_whose_answer_was_lost_is_told_to_who_waits() {
    let (database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let (assistant, script) = ScriptedAssistant::new();
    let server = TestServer::with(&behind, Settings { assistant, ..Settings::default() }).await;
    let (ann, blocker) = (server.user("ann"), holder(&database).await);
    let waiting = tokio::spawn({
        let ann = ann.clone();
        async move { ann.send("one", json!({})).await }
    });
    let attempt = script.next().await;
    hold(&blocker).await;
    write(&attempt, "One.");
    lose_the_answer(&database, &proxy, &blocker).await;
    let sent = waiting.await.unwrap();
    assert_eq!((&sent["reply"]["status"], &sent["reply"]["content"]), (&json!("COMPLETE"), &json!("One.")));
    check_sums(&database).await;
    assert_eq!(
        database.number("SELECT CAST(sum(replies) AS BIGINT) FROM usage_day").await,
        1,
        "it is charged once"
    );
}
