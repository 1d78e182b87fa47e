//! Users whose writes share a statement do not wait for one another, and one's refusal is one's own.

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::same_rows::writes;
use super::{WAITING, hold, holder};
use crate::support::{Client, TestDatabase, TestServer};
use crate::usage::check_sums;

const USERS: usize = 40;

async fn conversation(client: &Client) -> Value {
    client.send("hello", json!({})).await["conversation"]["id"].clone()
}

async fn clients(server: &TestServer) -> Vec<(Client, Value)> {
    join_all((0..USERS).map(async |number| {
        let client = server.user(&format!("user {number}"));
        let conversation = conversation(&client).await;
        (client, conversation)
    }))
    .await
}

/// How many writes each statement had that was run since the last look.
fn shared(server: &TestServer) -> Vec<usize> {
    let statements = server.take_all_statements();
    statements.iter().filter(|statement| statement.sql.contains("WITH seen")).map(writes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_locked_account_holds_up_nobody_elses_write() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let clients = clients(&server).await;
    let blocker = database.raw().await;
    blocker
        .execute_unprepared("BEGIN; SELECT 1 FROM account WHERE user_id = 'user 0' FOR UPDATE")
        .await
        .unwrap();
    server.take_all_statements();
    let mut sends: Vec<_> = clients
        .iter()
        .map(|(client, conversation)| {
            let (client, conversation) = (client.clone(), conversation.clone());
            tokio::spawn(async move { client.send("more", json!({ "conversationId": conversation })).await })
        })
        .collect();
    let locked_out = sends.remove(0);
    for send in sends {
        assert_eq!(send.await.unwrap()["reply"]["status"], "COMPLETE");
    }
    assert!(!locked_out.is_finished());
    blocker.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(locked_out.await.unwrap()["reply"]["status"], "COMPLETE");
    let shared = shared(&server);
    assert!(shared.iter().any(|writes| *writes > 3), "{shared:?}");
    check_sums(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_write_that_waits_for_slow_statements_has_another_one() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let mut clients = Vec::new();
    for name in ["ann", "ben", "cid"] {
        let client = server.user(name);
        let conversation = conversation(&client).await;
        clients.push((client, conversation));
    }
    let holder = holder(&database).await;
    hold(&holder).await;
    let mut sends = Vec::new();
    // Two statements begin at once; the third one has to wait first.
    for (client, conversation) in clients {
        let input = json!({ "conversationId": conversation, "awaitReply": false });
        sends.push(tokio::spawn(async move { client.send("more", input).await }));
        database.becomes(WAITING, i64::try_from(sends.len()).unwrap()).await;
    }
    holder.execute_unprepared("ROLLBACK").await.unwrap();
    for sent in sends {
        assert!(sent.await.unwrap()["message"]["id"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_statement_that_fails_fails_nobody_but_whose_write_it_is() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let clients = clients(&server).await;
    let refuse =
        "ALTER TABLE message ADD CONSTRAINT refused CHECK (user_id <> 'user 0' OR content <> 'more')";
    database.raw().await.execute_unprepared(refuse).await.unwrap();
    server.take_all_statements();
    let answers = join_all(clients.iter().map(async |(client, conversation)| {
        client.try_send("more", json!({ "conversationId": conversation })).await
    }))
    .await;
    for (number, answer) in answers.into_iter().enumerate() {
        if number == 0 {
            assert_eq!(answer.code(), "INTERNAL_SERVER_ERROR");
        } else {
            assert_eq!(answer.data()["sendMessage"]["reply"]["status"], "COMPLETE");
        }
    }
    let shared = shared(&server);
    assert!(shared.iter().any(|writes| *writes > 3), "{shared:?}");
    let sent = "SELECT count(*) FROM message WHERE content = 'more'";
    assert_eq!(database.number(sent).await, i64::try_from(USERS).unwrap() - 1, "each once");
    check_sums(&database).await;
}
