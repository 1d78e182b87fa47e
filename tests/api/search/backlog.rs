//! What is older than the index is indexed.

use std::sync::{Arc, Mutex};

use causerie::database::Database;
use causerie::index::catch_up;
use causerie::signal::{Hub, Signals, Topic};
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::count;
use crate::support::{TestDatabase, TestServer, on_both_databases};

/// What begins to work the backlog off, until the returned value is dropped.
fn work(database: &Database, signals: &Arc<Hub>) -> DropGuard {
    let shutdown = CancellationToken::new();
    tokio::spawn(catch_up(database.clone(), signals.clone(), shutdown.clone()));
    shutdown.drop_guard()
}

/// Makes the index forget everything, and the backlog list all of it.
async fn forget(database: &TestDatabase) {
    let sql = "DELETE FROM message_search; DELETE FROM title_search;
        INSERT INTO search_backlog (user_id, id) SELECT user_id, id FROM message WHERE content <> ''
            ON CONFLICT DO NOTHING;
        INSERT INTO search_backlog (user_id, id) SELECT user_id, id FROM conversation WHERE true
            ON CONFLICT DO NOTHING;";
    database.raw().await.execute_unprepared(sql).await.unwrap();
}

/// Has the database refuse texts in the index that have `part`.
async fn refuse(database: &TestDatabase, part: &str) {
    let sql = if database.is_postgres() {
        format!("ALTER TABLE message_search ADD CONSTRAINT refused CHECK (text NOT LIKE '%{part}%')")
    } else {
        format!(
            "CREATE TRIGGER refused BEFORE INSERT ON message_search WHEN new.text LIKE '%{part}%'
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    };
    database.raw().await.execute_unprepared(&sql).await.unwrap();
}

async fn accept(database: &TestDatabase) {
    let sql = if database.is_postgres() {
        "ALTER TABLE message_search DROP CONSTRAINT refused"
    } else {
        "DROP TRIGGER refused"
    };
    database.raw().await.execute_unprepared(sql).await.unwrap();
}

on_both_databases! {
    async fn older_rows_are_indexed(database) {
        let server = TestServer::start(&database).await;
        for user in ["ann", "bob"] {
            for number in 0..12 {
                server.user(user).start(&format!("memory {number}")).await;
            }
        }
        server.stop().await;
        let connection = database.connect().await;
        let steps = connection.migrations().await.unwrap().steps;
        let search = steps.iter().position(|(name, _)| name.ends_with("_search")).unwrap();
        connection.migrate_down(u32::try_from(steps.len() - search).unwrap()).await.unwrap();
        connection.migrate_up().await.unwrap();
        assert_eq!(database.number("SELECT count(*) FROM search_backlog").await, 72);

        // Two servers may start at once.
        let guards = [work(&connection, &Arc::default()), work(&connection, &Arc::default())];
        database.becomes("SELECT count(*) FROM search_backlog", 0).await;
        drop(guards);
        assert_eq!(database.number("SELECT count(*) FROM message_search").await, 48);
        let server = TestServer::start(&database).await;
        for user in ["ann", "bob"] {
            assert_eq!(count(&server.user(user), "memory").await, 36);
        }
    }

    async fn what_cannot_be_indexed_holds_up_nothing_else(database) {
        let server = TestServer::start(&database).await;
        for (user, text) in [("ann", "good"), ("ann", "poison"), ("ann", "better"), ("bob", "good")] {
            server.user(user).start(text).await;
        }
        server.stop().await;
        forget(&database).await;
        refuse(&database, "poison").await;
        let connection = database.connect().await;
        let signals = Arc::<Hub>::default();
        let guard = work(&connection, &signals);
        // The message and the reply that repeats it; they are not tried again at once, and they are not forgotten.
        database.becomes("SELECT count(*) FROM search_backlog", 2).await;
        database.becomes("SELECT count(*) FROM search_backlog WHERE attempts = 1", 2).await;
        assert_eq!(database.number("SELECT count(*) FROM message_search").await, 6);
        assert_eq!(database.number("SELECT count(*) FROM title_search").await, 4);

        let past = "UPDATE search_backlog SET retry_at = '2000-01-01 00:00:00+00:00'";
        database.raw().await.execute_unprepared(past).await.unwrap();
        signals.send(Topic::Backlog);
        database.becomes("SELECT count(*) FROM search_backlog WHERE attempts = 2", 2).await;
        accept(&database).await;
        database.raw().await.execute_unprepared(past).await.unwrap();
        signals.send(Topic::Backlog);
        database.becomes("SELECT count(*) FROM search_backlog", 0).await;
        assert_eq!(database.number("SELECT count(*) FROM message_search").await, 8);
        drop(guard);
    }

    async fn users_take_turns_of_so_many_bytes(database) {
        let server = TestServer::start(&database).await;
        let long = "long ".repeat(6_000);
        for _ in 0..10 {
            server.user("ann").start(&long).await;
        }
        server.user("bob").start("short").await;
        server.stop().await;
        forget(&database).await;

        let turns = Arc::<Mutex<Vec<String>>>::default();
        let mut connection = database.connect().await;
        let seen = turns.clone();
        connection.observe(move |statement: &Statement| {
            if statement.sql.starts_with("DELETE FROM") && statement.sql.contains("search_backlog") {
                let is_anns = format!("{:?}", statement.values).contains("ann");
                seen.lock().unwrap().push(if is_anns { "ann" } else { "bob" }.to_owned());
            }
        });
        let guard = work(&connection, &Arc::default());
        database.becomes("SELECT count(*) FROM search_backlog", 0).await;
        drop(guard);
        let turns = turns.lock().unwrap().clone();
        // 600 kB in pieces of no more than 256.
        assert_eq!(turns, ["ann", "bob", "ann", "ann"]);
    }

    async fn what_changes_meanwhile_is_indexed_as_it_is(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = super::titled(&ann, "first").await;
        forget(&database).await;
        let rename = "mutation ($id: ID!, $title: String!) {
            updateConversation(input: { conversationId: $id, title: $title }) { conversation { id } } }";
        let guards = [work(server.database(), &Arc::default()), work(server.database(), &Arc::default())];
        for number in 0..20 {
            ann.data(rename, serde_json::json!({ "id": id, "title": format!("title {number}") })).await;
            forget(&database).await;
        }
        database.becomes("SELECT count(*) FROM search_backlog", 0).await;
        drop(guards);
        assert_eq!((count(&ann, "19").await, count(&ann, "first").await), (1, 0));
    }
}
