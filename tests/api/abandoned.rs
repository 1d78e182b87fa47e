//! Requests whose clients go away before they are answered: nothing of them stays behind.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{Client, TestDatabase, TestServer, on_both_databases};

const RENAME: &str = "mutation($id: ID!) {
  updateConversation(input: { conversationId: $id, title: \"Talk\" }) { conversation { title } }
}";

const SEARCH: &str =
    "query($query: String!) { search(query: $query, first: 10) { nodes { score: __typename } } }";

/// How many long messages a search has to go through.
const LONG_MESSAGES: u32 = 3_000;

on_both_databases! {
    async fn searches_of_a_user_who_does_not_wait_leave_the_database_to_others(database) {
        let server = TestServer::start(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        ann.start(&"ab ".repeat(10_000)).await;
        bob.start("hello").await;
        store_long_messages(&database).await;
        let excluded: Vec<_> = (0..32).map(|number| format!("-abc{number}")).collect();
        let query = json!({ "query": excluded.join(" ") });
        let attack = join_all((0..4).map(|_| async {
            for _ in 0..25 {
                let _ = timeout(Duration::from_millis(250), ann.try_run(SEARCH, query.clone())).await;
            }
        }));
        let reads = async {
            let mut slowest = Duration::ZERO;
            for _ in 0..60 {
                let began = Instant::now();
                bob.data("{ viewer { id } conversations { nodes { title } } }", json!({})).await;
                slowest = slowest.max(began.elapsed());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            slowest
        };
        let (_, slowest) = tokio::join!(attack, reads);
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        // What nobody waits for has been ended, and has not run on to its own limit.
        if database.is_postgres() {
            let running = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'active' AND query LIKE '%candidate%'
                    AND pid <> pg_backend_pid()";
            let ended = timeout(Duration::from_secs(2), database.becomes(running, 0));
            ended.await.expect("what nobody waits for is ended");
        }
    }

    async fn renamings_that_nobody_waits_for_leave_no_transaction_open(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        let id = &json!({ "id": id });
        let open = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        for round in 0..10 {
            join_all((0..20).map(|number| {
                let ann = Client::new(server.url(), ann.token().map(str::to_owned));
                async move {
                    let patience = Duration::from_micros(500 + 137 * ((round * 20 + number) % 60));
                    let _ = timeout(patience, ann.try_run(RENAME, id.clone())).await;
                }
            }))
            .await;
            // It queues behind those that nobody waits for.
            ann.data(RENAME, id.clone()).await;
            if database.is_postgres() {
                assert_eq!(database.number(open).await, 0, "a transaction was left open");
            }
        }
    }

    async fn a_write_that_takes_too_long_fails_alone(database) {
        for sends in [false, true] {
            let server = TestServer::start(&database).await;
            one_of_four_fails(&database, &server.user("ann"), sends).await;
        }
    }
}

/// Four renamings or sends at once, while another has locked what they need: the first one fails, and the others are
/// written once the lock is gone.
async fn one_of_four_fails(database: &TestDatabase, ann: &Client, sends: bool) {
    let sent = ann.send("hello", json!({})).await;
    let id = &json!({ "id": sent["conversation"]["id"] });
    let blocker = database.raw().await;
    let lock = if database.is_postgres() {
        "BEGIN; SELECT 1 FROM account WHERE user_id = 'ann' FOR UPDATE"
    } else {
        "BEGIN IMMEDIATE"
    };
    blocker.execute_unprepared(lock).await.unwrap();
    let (sender, first) = tokio::sync::watch::channel(false);
    let writes = join_all((0..4).map(|_| async {
        let answer = if sends {
            ann.try_send("more", json!({ "conversationId": id["id"], "awaitReply": false })).await
        } else {
            ann.run(RENAME, id.clone()).await
        };
        sender.send_replace(true);
        answer.body.get("errors").is_some()
    }));
    let unblock = async {
        first.clone().wait_for(|first| *first).await.unwrap();
        blocker.execute_unprepared("ROLLBACK").await.unwrap();
    };
    let (failed, ()) = tokio::join!(writes, unblock);
    assert_eq!(failed.iter().filter(|failed| **failed).count(), 1, "those behind it are written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_write_that_is_the_victim_of_a_deadlock_is_done_again() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let ann = server.user("ann");
    let id = ann.start("hello").await;
    let blocker = database.raw().await;
    blocker.execute_unprepared("BEGIN; SELECT 1 FROM conversation FOR UPDATE").await.unwrap();
    let renaming = tokio::spawn({
        let ann = ann.clone();
        async move { ann.data(RENAME, json!({ "id": id })).await }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.becomes(waiting, 1).await;
    // It waits for the account's row, whose holder waits for the conversation's: who waited first is the victim.
    blocker.execute_unprepared("SELECT 1 FROM account FOR UPDATE; ROLLBACK").await.unwrap();
    assert_eq!(renaming.await.unwrap()["updateConversation"]["conversation"]["title"], "Talk");
}

/// Multiplies ann's one message.
async fn store_long_messages(database: &TestDatabase) {
    let (id, series, tokens) = if database.is_postgres() {
        ("gen_random_uuid()", format!("generate_series(1, {LONG_MESSAGES})"), ", tokens")
    } else {
        let count = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n <";
        ("randomblob(16)", format!("({count} {LONG_MESSAGES}) SELECT n FROM c)"), "")
    };
    let raw = database.raw().await;
    for sql in [
        format!(
            "INSERT INTO message (user_id, id, conversation_id, position, active, role, status, content, parts,
                created_at, finished_at, created_revision, revision)
            SELECT user_id, {id}, conversation_id, position, FALSE, role, status, 'a copy', parts, created_at,
                finished_at, revision, revision
            FROM message CROSS JOIN {series} AS series WHERE user_id = 'ann' AND role = 'USER'"
        ),
        format!(
            "INSERT INTO message_search (user_id, id, text{tokens})
            SELECT m.user_id, m.id, s.text{tokens} FROM message AS m CROSS JOIN message_search AS s
            WHERE m.content = 'a copy' AND s.user_id = 'ann' AND s.id = (
                SELECT id FROM message WHERE user_id = 'ann' AND role = 'USER' AND content <> 'a copy')"
        ),
    ] {
        raw.execute_unprepared(&sql).await.unwrap();
    }
    raw.close().await.unwrap();
}
