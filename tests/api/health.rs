//! Whether the server can serve: true whatever else goes on, and cheap however many ask.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{TestServer, on_both_databases};

on_both_databases! {
    async fn however_many_ask_the_database_is_asked_once_a_second(database) {
        let server = TestServer::start(&database).await;
        let anybody = server.anonymous();
        let began = Instant::now();
        let mut asked = 0;
        while began.elapsed() < Duration::from_millis(1500) {
            let ask = join_all((0..20).map(|_| anybody.get("/readyz").send()));
            // Some do not wait for the answer.
            let _ = timeout(Duration::from_micros(500), anybody.get("/readyz").send()).await;
            for answer in ask.await {
                assert_eq!(answer.unwrap().status(), 200);
            }
            asked += 21;
        }
        let statements = server.take_all_statements();
        let looks = statements.iter().filter(|statement| statement.sql.contains("FROM seaql_migrations")).count();
        let seconds = began.elapsed().as_secs() + 1;
        assert!(asked > 50, "{asked}");
        assert!((1..=seconds).contains(&(looks as u64)), "{looks} looks in {seconds} s");
    }

    async fn writes_that_wait_do_not_make_it_unready(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("hello").await;
        let (raw, lock) = (database.raw().await, database.is_postgres());
        let blocker = raw.begin().await.unwrap();
        let lock = if lock { "SELECT 1 FROM account FOR UPDATE" } else { "UPDATE account SET revision = revision" };
        blocker.execute_unprepared(lock).await.unwrap();
        let sends: Vec<_> = (0..5)
            .map(|_| {
                let ann = ann.clone();
                tokio::spawn(async move { ann.try_send("hello", json!({})).await })
            })
            .collect();
        while !server.take_all_statements().iter().any(|statement| statement.sql.contains("INTO account")) {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        assert_eq!(server.anonymous().get("/readyz").send().await.unwrap().status(), 200);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        blocker.rollback().await.unwrap();
        join_all(sends).await;
    }
}
