//! Networks that are slow, that lose an answer, or that swallow what is sent without a word.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{Process, Proxy, ScriptedAssistant, Settings, TestDatabase, TestServer};

/// Attempts that were not the first.
const AGAIN: &str = "SELECT count(*) FROM message WHERE attempt > 1";

const READ: &str = "{ viewer { id } conversations { nodes { title } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_message_is_sent_over_a_network_that_takes_a_fifth_of_a_second() {
    let (_database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let server = TestServer::start(&behind).await;
    proxy.delay(Duration::from_millis(100));
    let ann = server.user("ann");
    let sent = ann.send("hello", json!({ "idempotencyKey": "once" })).await;
    assert_eq!(sent["reply"]["status"], "COMPLETE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_database_that_is_slow_to_connect_to_is_not_kept_busy_by_attempts_that_are_given_up() {
    let (_database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let server = TestServer::start(&behind).await;
    proxy.cut();
    proxy.slow_down_connecting(Duration::from_millis(300));
    proxy.mend();
    let users = (0..24).map(|number| {
        let user = server.user(&format!("user {number}"));
        async move { while !user.run(READ, json!({})).await.body["errors"].is_null() {} }
    });
    timeout(Duration::from_secs(20), join_all(users)).await.expect("connections are made");
    let attempts = proxy.most_attempts();
    assert!(attempts <= 8, "{attempts} connections were made at once");
}

/// The commit's answer is lost, or the commit itself: either way the message is stored once, and its reply is written
/// by this server, whose lease nobody waits for.
async fn send_through_a_lost_commit(arrives: bool) {
    let (database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let mut settings = Settings::default();
    settings.replies.lease = Duration::from_mins(1);
    let server = TestServer::with(&behind, settings).await;
    let ann = server.user("ann");
    ann.start("before").await;
    proxy.cut_at_commit(arrives);
    let sent = timeout(Duration::from_secs(15), ann.send("hello", json!({})))
        .await
        .expect("nobody waits for a lease");
    assert_eq!(sent["reply"]["status"], "COMPLETE");
    assert_eq!(database.number("SELECT count(*) FROM message").await, 4, "it is stored once");
    assert_eq!(database.number(AGAIN).await, 0, "nothing was begun again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_message_whose_commit_is_not_answered_is_sent_and_its_reply_written() {
    send_through_a_lost_commit(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_message_whose_commit_does_not_arrive_is_sent_once() {
    send_through_a_lost_commit(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_reply_whose_end_is_not_answered_leads_to_the_next_one() {
    let (database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = Duration::from_mins(1);
    let server = TestServer::with(&behind, settings).await;
    let ann = server.user("ann");
    let sent = ann.send("first", json!({ "awaitReply": false })).await;
    let first = script.next().await;
    let id = sent["conversation"]["id"].clone();
    ann.send("second", json!({ "conversationId": id, "awaitReply": false })).await;
    proxy.cut_at_commit(true);
    first.say("One.");
    first.finish();
    // The end gave the second reply to this server.
    let second = timeout(Duration::from_secs(15), script.next()).await.expect("nobody waits for a lease");
    second.say("Two.");
    second.finish();
    database.becomes("SELECT count(*) FROM message WHERE status = 'COMPLETE'", 4).await;
    assert_eq!(database.number(AGAIN).await, 0, "nothing was begun again");
}

/// How long the outcome of a commit stays unknown here: longer than a request waits for it, which is up to two times
/// four seconds.
const LONG_OUTAGE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_reply_that_was_taken_over_is_written_though_the_takeover_was_not_answered_for_long() {
    let (database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let to_predecessor = Proxy::to(database.url()).await;
    let (assistant, predecessor) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = Duration::from_secs(2);
    let first = TestServer::with(&database.behind(&to_predecessor), settings).await;
    let ann = first.user("ann");
    ann.send("hello", json!({ "awaitReply": false })).await;
    let _ghost = predecessor.next().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    // It takes nothing over before its first lease has passed.
    settings.replies.lease = Duration::from_secs(15);
    let _second = TestServer::with(&behind, settings).await;
    proxy.cut_after_commit();
    to_predecessor.cut();
    proxy.becomes_cut().await;
    database.becomes(AGAIN, 1).await;
    tokio::time::sleep(LONG_OUTAGE).await;
    proxy.mend();
    let attempt = timeout(Duration::from_secs(30), script.next()).await.expect("the takeover is known");
    attempt.say("Hello yourself.");
    attempt.finish();
    database.becomes("SELECT count(*) FROM message WHERE status = 'COMPLETE'", 2).await;
    let third = database.number("SELECT count(*) FROM message WHERE attempt > 2").await;
    assert_eq!(third, 0, "nobody had to take over from the successor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_queued_reply_is_written_though_its_start_was_not_answered_for_long() {
    let (database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    // A server without room: its replies wait for another one.
    let (assistant, busy) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.replies = 1;
    settings.replies.lease = Duration::from_mins(2);
    let first = TestServer::with(&database, settings).await;
    first.user("ann").send("hello", json!({ "awaitReply": false })).await;
    let _running = busy.next().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = Duration::from_mins(2);
    let _second = TestServer::with(&behind, settings).await;
    proxy.cut_after_commit();
    let sent = first.user("bob").send("hello", json!({ "awaitReply": false })).await;
    assert_eq!(sent["reply"]["status"], "QUEUED");
    proxy.becomes_cut().await;
    database.becomes("SELECT count(*) FROM message WHERE status = 'GENERATING'", 2).await;
    tokio::time::sleep(LONG_OUTAGE).await;
    proxy.mend();
    let attempt = timeout(Duration::from_secs(30), script.next()).await.expect("the start is known");
    attempt.say("Hello yourself.");
    attempt.finish();
    database.becomes("SELECT count(*) FROM message WHERE status = 'COMPLETE'", 3).await;
}

/// Connections that wait for a lock.
const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn one_users_readers_of_replies_leave_connections_to_the_others() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let reply = ann.send("hello", json!({})).await["reply"]["id"].take();
    bob.start("hello").await;
    // Whoever reads messages waits.
    let raw = database.raw().await;
    let lock = raw.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE message IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let progress = "subscription($id: ID!) { replyProgress(messageId: $id) { __typename } }";
    let readers: Vec<_> = (0..30)
        .map(|_| {
            let (ann, id) = (ann.clone(), reply.clone());
            tokio::spawn(async move { ann.subscribe(progress, json!({ "id": id })).await.next().await })
        })
        .collect();
    while database.number(WAITING).await < 3 {}
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let read = bob.data("{ conversations { totalCount } }", json!({}));
        timeout(Duration::from_secs(2), read).await.expect("a connection is left for others");
    }
    lock.commit().await.unwrap();
    for reader in readers {
        reader.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_database_whose_machine_vanishes_is_found_again_and_never_waited_for_at_the_end() {
    let (_database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let server = Process::start(&behind, &["--drain", "1s"]).await;
    let (ann, bob) = (&server.user("ann"), &server.user("bob"));
    ann.start("hello").await;
    let ask = |count: usize| {
        join_all((0..count).map(move |number| async move {
            if number % 4 == 0 {
                ann.try_send("hello", json!({ "awaitReply": false })).await
            } else {
                [ann, bob][number % 2].run(READ, json!({})).await
            }
        }))
    };
    ask(24).await;
    proxy.black_hole();
    // Some connections have rested for long enough to be asked whether they live, and some have not.
    for _ in 0..2 {
        for answer in ask(24).await {
            assert_eq!(answer.code(), "UNAVAILABLE");
        }
    }
    proxy.mend();
    let mended = Instant::now();
    while ask(8).await.iter().any(|answer| answer.body.get("errors").is_some()) {
        assert!(mended.elapsed() < Duration::from_secs(10), "a primary that can be reached is not used");
    }
    proxy.black_hole();
    for answer in ask(24).await {
        assert_eq!(answer.code(), "UNAVAILABLE");
    }
    let told = Instant::now();
    assert_eq!(timeout(Duration::from_secs(20), server.stop()).await.expect("it stops"), Some(0));
    assert!(told.elapsed() < Duration::from_secs(12), "{:?}", told.elapsed());
}
