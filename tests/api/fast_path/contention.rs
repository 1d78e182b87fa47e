//! Writes in one statement that wait: for the user's other writes, for a lock, or for a connection.

use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{WAITING, hold, holder};
use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer};

const LOCK: &str = "BEGIN; SELECT 1 FROM account WHERE user_id = 'ann' FOR UPDATE";

/// Counts the statements that contain this and wait for a lock.
fn waiting(part: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%{part}%'"
    )
}

/// A conversation with one reply that has ended.
async fn conversation(client: &Client) -> Value {
    client.send("hello", json!({})).await["conversation"]["id"].clone()
}

async fn locked(database: &TestDatabase) -> DatabaseConnection {
    let blocker = database.raw().await;
    blocker.execute_unprepared(LOCK).await.unwrap();
    blocker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn sends_of_one_user_that_wait_leave_permits_to_others() {
    let database = TestDatabase::postgres().await;
    let mut settings = Settings::default();
    settings.replies.replies = 2;
    let server = TestServer::with(&database, settings).await;
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let [ann_has, bob_has] = [conversation(&ann).await, conversation(&bob).await];
    let blocker = locked(&database).await;
    let sends =
        join_all((0..3).map(|_| ann.send("more", json!({ "conversationId": ann_has, "awaitReply": false }))));
    let bob_sends = async {
        database.becomes(&waiting("INSERT INTO account"), 1).await;
        // By then all of the sends have come.
        let sent = bob.send("more", json!({ "conversationId": bob_has, "awaitReply": false })).await;
        blocker.execute_unprepared("ROLLBACK").await.unwrap();
        sent
    };
    let (_, sent) = tokio::join!(sends, bob_sends);
    assert_eq!(sent["reply"]["status"], "GENERATING");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_send_that_has_failed_is_not_written_afterwards() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let ann = server.user("ann");
    let id = conversation(&ann).await;
    let blocker = locked(&database).await;
    // Other users' writes hold all connections, for half of the time that a write may take to begin.
    let (open, gate) = watch::channel(false);
    let (holds, mut held) = watch::channel(0);
    let others = join_all((0..12).map(async |number| {
        let (user, input) = (format!("other {number}"), (gate.clone(), holds.clone()));
        let hold = server.database().write(&user, input, |_, (gate, holds)| {
            Box::pin(async {
                holds.send_modify(|holds| *holds += 1);
                gate.clone().wait_for(|open| *open).await.unwrap();
                Ok(())
            })
        });
        hold.await.unwrap();
    }));
    let send = async {
        held.wait_for(|held| *held == 12).await.unwrap();
        let free = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            open.send_replace(true);
        };
        let (answer, ()) =
            tokio::join!(ann.try_send("late", json!({ "conversationId": id, "awaitReply": false })), free);
        answer.code()
    };
    let (_, code) = tokio::join!(others, send);
    assert_eq!(code, "UNAVAILABLE");
    blocker.execute_unprepared("ROLLBACK").await.unwrap();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND (state <> 'idle' AND query LIKE '%account%' OR wait_event_type = 'Lock') AND pid <> pg_backend_pid()";
    database.becomes(running, 0).await;
    assert_eq!(ann.messages(id.as_str().unwrap()).await.len(), 2, "the send is told to have failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn an_end_that_takes_too_long_does_not_fail_what_waits_for_it() {
    let database = TestDatabase::postgres().await;
    let (assistant, script) = ScriptedAssistant::new();
    let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
    let ann = server.user("ann");
    let sent = ann.send("hello", json!({ "awaitReply": false })).await;
    let id = &sent["conversation"]["id"];
    let attempt = script.next().await;
    let blocker = holder(&database).await;
    hold(&blocker).await;
    attempt.say("Hello.");
    attempt.finish();
    database.becomes(WAITING, 1).await;
    let rename = ann.run(
        "mutation($id: ID!) {
          updateConversation(input: { conversationId: $id, title: \"Talk\" }) { conversation { title } }
        }",
        json!({ "id": id }),
    );
    let unblock = async {
        // The renaming has its turn.
        let turn = waiting("INSERT INTO account");
        let _ = tokio::time::timeout(Duration::from_secs(8), database.becomes(&turn, 1)).await;
        blocker.execute_unprepared("ROLLBACK").await.unwrap();
    };
    let (answer, ()) = tokio::join!(rename, unblock);
    assert_eq!(answer.data()["updateConversation"]["conversation"]["title"], "Talk");
    database
        .becomes("SELECT count(*) FROM message WHERE status = 'COMPLETE' AND content = 'Hello.'", 1)
        .await;
}
