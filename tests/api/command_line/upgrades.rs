//! A newer server migrates the database of older ones: those go on that can.

use sea_orm::ConnectionTrait;
use serde_json::json;

use super::run;
use crate::support::{Client, Process, SECRET, TestDatabase, on_both_databases};

const NEWER: &str = "m29990101_000001_future";

/// What a newer server does whose step can be served from the version of `compatible_from` on.
async fn upgrade(database: &TestDatabase, compatible_from: &str) {
    let sql = format!(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('{NEWER}', 0);
         INSERT INTO schema_version (step, compatible_from) VALUES ('{NEWER}', '{compatible_from}')"
    );
    database.raw().await.execute_unprepared(&sql).await.unwrap();
}

/// The newest step of this version.
async fn newest(database: &TestDatabase) -> String {
    let environment = [("DATABASE_URL", database.url())];
    let printed = run(database.directory(), &environment, &["migrate", "up"]).await.printed();
    printed.lines().last().unwrap().trim_start_matches("applied ").to_owned()
}

/// Asks whether the server is ready until it is so, as `/readyz` remembers for a second.
async fn becomes(client: &Client, status: u16) {
    while client.get("/readyz").send().await.unwrap().status() != status {
        tokio::task::yield_now().await;
    }
}

on_both_databases! {
    async fn a_step_that_only_adds_leaves_older_servers_ready(database) {
        let newest = newest(&database).await;
        let old = Process::start(&database, &[]).await;
        let ann = old.user("ann");
        let id = ann.start("hello").await;
        becomes(&ann, 200).await;
        upgrade(&database, &newest).await;
        // Longer than the answer is remembered.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        assert_eq!(ann.get("/readyz").send().await.unwrap().status(), 200);
        ann.send("hello", json!({ "conversationId": id })).await;

        // An older server may even start.
        for arguments in [&[][..], &["--no-migrate"]] {
            let late = Process::start(&database, arguments).await;
            let ann = late.user("ann");
            becomes(&ann, 200).await;
            ann.send("hello", json!({ "conversationId": id })).await;
        }
        let environment = [("DATABASE_URL", database.url())];
        for direction in ["status", "up"] {
            let printed = run(database.directory(), &environment, &["migrate", direction]).await.printed();
            assert!(printed.ends_with(&format!("applied {newest}\napplied {NEWER} (of a newer version)\n")), "{printed}");
        }
        // Only who knows the step can take it back.
        let down = run(database.directory(), &environment, &["migrate", "down"]).await;
        down.assert_refused(NEWER);
        assert_eq!(database.number("SELECT count(*) FROM message").await, 8);
    }

    async fn a_step_that_older_servers_cannot_live_with_stops_them(database) {
        let old = Process::start(&database, &[]).await;
        let ann = old.user("ann");
        becomes(&ann, 200).await;
        upgrade(&database, NEWER).await;
        becomes(&ann, 503).await;
        let environment = [("CAUSERIE_AUTH_SECRET", SECRET), ("DATABASE_URL", database.url())];
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate", "up"], &["migrate", "down"]] {
            let ran = run(database.directory(), &environment, arguments).await;
            ran.assert_refused("newer than this version of causerie");
            ran.assert_refused(NEWER);
        }
    }
}
