//! The running replies of a server are stored together.

use std::time::Duration;

use causerie::reply;
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{
    ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer, on_both_databases,
};

const REPLIES: usize = 40;

/// A server on which each of many users has a reply running.
async fn running(database: &TestDatabase) -> (TestServer, Vec<ScriptedAttempt>) {
    let (assistant, script) = ScriptedAssistant::new();
    let replies = reply::Options {
        lease: Duration::from_mins(1),
        checkpoint: Duration::from_millis(500),
        ..reply::Options::default()
    };
    let server = TestServer::with(database, Settings { assistant, replies, ..Settings::default() }).await;
    let users: Vec<_> = (0..REPLIES).map(|number| server.user(&format!("user {number}"))).collect();
    join_all(users.iter().map(|user| user.send("hello", json!({ "awaitReply": false })))).await;
    let mut attempts = Vec::new();
    for _ in 0..REPLIES {
        attempts.push(script.next().await);
    }
    (server, attempts)
}

on_both_databases! {
    async fn one_statement_stores_what_many_replies_have_grown_by(database) {
        let (server, attempts) = running(&database).await;
        for round in 1..=2 {
            server.take_all_statements();
            for attempt in &attempts {
                attempt.say("word ");
            }
            let stored = format!("SELECT count(*) FROM message WHERE content = '{}'", "word ".repeat(round));
            database.becomes(&stored, i64::try_from(REPLIES).unwrap()).await;
            let statements = server.take_all_statements();
            let stores = statements
                .iter()
                .filter(|statement| statement.sql.contains("AS due") && statement.sql.contains("UPDATE message"));
            let count = stores.count();
            assert!((1..=REPLIES / 4).contains(&count), "{count} statements for {REPLIES} replies");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_row_that_is_locked_does_not_keep_others_from_being_stored() {
    let database = TestDatabase::postgres().await;
    let (_server, attempts) = running(&database).await;
    let blocker = database.raw().await;
    let lock = "BEGIN; SELECT 1 FROM message WHERE user_id = 'user 7' FOR UPDATE";
    blocker.execute_unprepared(lock).await.unwrap();
    for attempt in &attempts {
        attempt.say("word");
    }
    let stored = "SELECT count(*) FROM message WHERE content = 'word'";
    database.becomes(stored, i64::try_from(REPLIES - 1).unwrap()).await;
    blocker.execute_unprepared("ROLLBACK").await.unwrap();
    database.becomes(stored, i64::try_from(REPLIES).unwrap()).await;
}
