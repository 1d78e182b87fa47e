//! The running replies of a server are stored together.

use std::time::{Duration, Instant};

use causerie::reply;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;

use crate::support::{
    ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer, on_both_databases,
};

const REPLIES: usize = 40;

/// A server on which each of many users has a reply running, with so much time between two checkpoints.
async fn running(database: &TestDatabase, checkpoint: Duration) -> (TestServer, Vec<ScriptedAttempt>) {
    let (assistant, script) = ScriptedAssistant::new();
    let replies = reply::Options { lease: Duration::from_mins(1), checkpoint, ..reply::Options::default() };
    let server = TestServer::with(database, Settings { assistant, replies, ..Settings::default() }).await;
    let users: Vec<_> = (0..REPLIES).map(|number| server.user(&format!("user {number}"))).collect();
    join_all(users.iter().map(|user| user.send("hello", json!({ "awaitReply": false })))).await;
    let mut attempts = Vec::new();
    for _ in 0..REPLIES {
        attempts.push(script.next().await);
    }
    (server, attempts)
}

/// The statements that store what replies have so far.
fn stores(statements: &[Statement]) -> impl Iterator<Item = &Statement> {
    let stores = |sql: &str| sql.contains("AS due") && sql.contains("UPDATE message");
    statements.iter().filter(move |statement| stores(&statement.sql))
}

on_both_databases! {
    async fn many_replies_are_stored_more_seldom_than_each_checkpoint(database) {
        let (server, attempts) = running(&database, Duration::from_millis(10)).await;
        let (mut rows, mut last_stored) = (0, 0);
        let begun = Instant::now();
        // A word of each comes at least once in a checkpoint, until one of them was stored so often.
        while last_stored < 12 {
            for attempt in &attempts {
                attempt.say("word ");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            for statement in stores(&server.take_all_statements()) {
                let values = format!("{:?}", statement.values);
                rows += values.matches("content\\\":").count();
                last_stored += usize::from(values.contains("user 7\\\""));
            }
        }
        // The replies have not begun at once, so that some were stored once more than others.
        let bound = 400 * usize::try_from(begun.elapsed().as_millis()).unwrap() / 1000 + 3 * REPLIES;
        assert!(rows < bound, "{rows} rows were stored, {bound} at most were expected");
    }

    async fn one_statement_stores_what_many_replies_have_grown_by(database) {
        let (server, attempts) = running(&database, Duration::from_millis(500)).await;
        for round in 1..=2 {
            server.take_all_statements();
            for attempt in &attempts {
                attempt.say("word ");
            }
            let stored = format!("SELECT count(*) FROM message WHERE content = '{}'", "word ".repeat(round));
            database.becomes(&stored, i64::try_from(REPLIES).unwrap()).await;
            let statements = server.take_all_statements();
            let count = stores(&statements).count();
            assert!((1..=REPLIES / 4).contains(&count), "{count} statements for {REPLIES} replies");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_row_that_is_locked_does_not_keep_others_from_being_stored() {
    let database = TestDatabase::postgres().await;
    let (_server, attempts) = running(&database, Duration::from_millis(500)).await;
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
