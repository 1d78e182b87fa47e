//! A lease runs out with its server, not with the database.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use causerie::assistant::{Catalog, DEFAULT_ID, Profile};
use causerie::reply::{self, Replies};

use futures_util::StreamExt;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::support::{
    Client, Events, Proxy, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer,
};

const PROGRESS: &str = "subscription($id: ID!) { replyProgress(messageId: $id) {
  ... on ReplyText { text } ... on ReplyRestarted { attempt } ... on ReplyEnded { message: reply { content } } } }";
const LEASE: Duration = Duration::from_secs(1);
const LAPSED: &str = "SELECT count(*) FROM message WHERE status = 'GENERATING' AND lease_until < now()";

async fn server(database: &TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = LEASE;
    (TestServer::with(database, settings).await, script)
}

/// Replies of which some text is stored, and what writes them.
async fn begin(client: &Client, script: &ScriptedAssistant, count: usize) -> Vec<(Value, ScriptedAttempt)> {
    let mut running = Vec::new();
    for number in 0..count {
        let sent =
            client.send("hello", json!({ "awaitReply": false, "idempotencyKey": number.to_string() })).await;
        let attempt = script.next().await;
        attempt.say("One, ");
        while client.messages(sent["conversation"]["id"].as_str().unwrap()).await[1]["content"] != "One, " {
            tokio::task::yield_now().await;
        }
        running.push((sent["reply"]["id"].clone(), attempt));
    }
    running
}

/// Reads on to the end, and returns the text; a restart would be in it.
async fn read(mut events: Events) -> String {
    let mut text = String::new();
    loop {
        let event = events.progress().await;
        match (event["text"].as_str(), event["attempt"].as_i64()) {
            (Some(more), _) => text += more,
            (_, Some(attempt)) => text.extend(["(attempt ", &attempt.to_string(), ")"]),
            _ => {
                assert_eq!(event["message"]["content"], text);
                return text;
            }
        }
    }
}

/// Whether nobody is asked for a reply within the time of two leases.
async fn is_idle(script: &ScriptedAssistant) -> bool {
    timeout(2 * LEASE, script.next()).await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn no_reply_is_begun_anew_after_an_outage_longer_than_the_lease() {
    let database = TestDatabase::postgres().await;
    let proxy = Proxy::to(database.url()).await;
    let behind = database.behind(&proxy);
    let ((one, first), (two, second)) = (server(&behind).await, server(&behind).await);
    let (ann, bob) = (one.user("ann"), two.user("bob"));
    let mut running = begin(&ann, &first, 3).await;
    running.extend(begin(&bob, &second, 3).await);
    let mut readers = Vec::new();
    for (index, (id, _)) in running.iter().enumerate() {
        let owner = if index < 3 { "ann" } else { "bob" };
        for server in [&one, &two] {
            let events = server.user(owner).subscribe(PROGRESS, json!({ "id": id })).await;
            readers.push(tokio::spawn(read(events)));
        }
    }

    proxy.cut();
    for (_, attempt) in &running {
        attempt.say("two, ");
    }
    database.becomes(LAPSED, 6).await;
    // Longer than any statement is tried for.
    assert_eq!(ann.code("{ conversations { totalCount } }", json!({})).await, "UNAVAILABLE");
    proxy.mend();
    database.becomes(LAPSED, 0).await;
    assert!(is_idle(&first).await && is_idle(&second).await, "the provider is asked once");
    for (_, attempt) in &running {
        attempt.say("three.");
        attempt.finish();
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), "One, two, three.");
    }
    assert_eq!(database.number("SELECT count(*) FROM message WHERE attempt > 1").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn who_waits_for_a_reply_waits_through_an_outage() {
    let database = TestDatabase::postgres().await;
    let proxy = Proxy::to(database.url()).await;
    let ((one, script), (two, _)) = (server(&database).await, server(&database.behind(&proxy)).await);
    let ann = one.user("ann");
    let running = begin(&ann, &script, 1).await;
    let (id, attempt) = &running[0];
    let there = ann.at(two.url());
    let events = there.subscribe(PROGRESS, json!({ "id": id })).await;
    let reader = tokio::spawn(read(events));
    let waiting = tokio::spawn({
        let there = there.clone();
        async move { there.send("hello", json!({ "idempotencyKey": "0" })).await }
    });
    // It has found the reply, and looks for its end.
    two.take_statements();
    while !two.take_statements().iter().any(|statement| statement.sql.contains("ELSE content END")) {
        tokio::task::yield_now().await;
    }
    proxy.cut();
    assert_eq!(there.code("{ conversations { totalCount } }", json!({})).await, "UNAVAILABLE");
    // Who comes meanwhile waits as well.
    let late = tokio::spawn(read(there.subscribe(PROGRESS, json!({ "id": id })).await));
    attempt.say("two.");
    attempt.finish();
    one.replies().wait_for_end("ann", id.as_str().unwrap().parse().unwrap()).await.unwrap();
    proxy.mend();
    assert_eq!(reader.await.unwrap(), "One, two.");
    assert_eq!(late.await.unwrap(), "One, two.");
    assert_eq!(waiting.await.unwrap()["reply"]["content"], "One, two.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn the_lease_is_extended_while_the_end_of_a_reply_waits_for_its_turn() {
    let database = TestDatabase::postgres().await;
    let ((one, first), (_two, second)) = (server(&database).await, server(&database).await);
    let ann = one.user("ann");
    let running = begin(&ann, &first, 1).await;
    let raw = database.raw().await;
    let lock = raw.begin().await.unwrap();
    lock.execute_unprepared("SELECT 1 FROM account FOR UPDATE").await.unwrap();
    running[0].1.say("two.");
    running[0].1.finish();
    let ended = Instant::now();
    while ended.elapsed() < 3 * LEASE {
        assert_eq!(database.number(LAPSED).await, 0);
    }
    lock.commit().await.unwrap();
    let reply =
        one.replies().wait_for_end("ann", running[0].0.as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!((reply.content.as_str(), reply.attempt), ("One, two.", 1));
    assert!(is_idle(&second).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn what_was_given_up_is_not_leased_again_by_a_late_checkpoint() {
    let database = TestDatabase::postgres().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    (settings.replies.lease, settings.drain) = (Duration::from_mins(1), Duration::ZERO);
    let one = TestServer::with(&database, settings).await;
    let ann = one.user("ann");
    let running = begin(&ann, &script, 1).await;
    // A checkpoint is on its way when the server has to go, and the release behind it or before.
    let raw = database.raw().await;
    let lock = raw.begin().await.unwrap();
    lock.execute_unprepared("SELECT 1 FROM message FOR UPDATE").await.unwrap();
    running[0].1.say("two, ");
    database.becomes("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()", 1).await;
    let (assistant, second) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = Duration::from_mins(1);
    let two = TestServer::with(&database, settings).await;
    let stopping = tokio::spawn(one.stop());
    database.becomes("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()", 2).await;
    lock.commit().await.unwrap();
    stopping.await.unwrap();
    let attempt = timeout(Duration::from_secs(10), second.next()).await.expect("nobody waits for the lease");
    attempt.say("anew");
    attempt.finish();
    let ended =
        two.replies().wait_for_end("ann", running[0].0.as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!((ended.content.as_str(), ended.attempt, ended.restarts_left), ("anew", 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn an_attempt_that_is_void_leaves_its_successor_to_its_readers() {
    let database = TestDatabase::postgres().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    // No checkpoint tells the first attempt, nor a reader, anything.
    (settings.replies.lease, settings.replies.checkpoint) = (Duration::from_mins(1), Duration::from_mins(1));
    settings.replies.replies = 2;
    let server = TestServer::with(&database, settings).await;
    let sent = server.user("ann").send("hello", json!({ "awaitReply": false })).await;
    let id = sent["reply"]["id"].as_str().unwrap().parse().unwrap();
    let void = script.next().await;
    void.say("void");
    let raw = database.raw().await;
    let nobody = uuid::Uuid::nil();
    raw.execute_unprepared(&format!(
        "UPDATE message SET lease_owner = '{nobody}', lease_until = now() WHERE status = 'GENERATING'"
    ))
    .await
    .unwrap();
    let successor = script.next().await;
    successor.say("word");
    void.finish();
    // The next reply has the room of the void attempt, which is then over.
    server.user("bob").send("hello", json!({ "awaitReply": false })).await;
    let _next = script.next().await;
    let share = causerie::memory::Memory::new(1 << 24).budget("ann", 1 << 20);
    let mut events = server.replies().progress("ann", id, None, share);
    let mut next = async || {
        let next = timeout(Duration::from_secs(20), events.next()).await;
        next.expect("the text is here, though not stored").unwrap().unwrap()
    };
    assert!(matches!(next().await, (reply::ProgressEvent::Started, position) if position.attempt == 2));
    assert!(matches!(next().await.0, reply::ProgressEvent::Text(text) if text == "word"));
    successor.finish();
}

/// A reader at another server reads what is new to it, and the whole reply once, at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_reader_at_another_server_reads_only_what_is_new() {
    let database = TestDatabase::postgres().await;
    let ((one, script), (two, _)) = (server(&database).await, server(&database).await);
    let ann = one.user("ann");
    let running = begin(&ann, &script, 1).await;
    let (id, attempt) = &running[0];
    let long = "word ".repeat(40_000);
    let mut events = ann.at(two.url()).subscribe(PROGRESS, json!({ "id": id })).await;
    two.take_statements();
    // Who waits for the end alone reads no text before it.
    let (replies, reply) = (two.replies().clone(), id.as_str().unwrap().parse().unwrap());
    let waiting = tokio::spawn(async move { replies.wait_for_end("ann", reply).await });
    let found = loop {
        let statements = two.take_statements();
        if let Some(found) = statements.iter().find(|statement| statement.sql.contains("\"content\"")) {
            break found.sql.clone();
        }
        tokio::task::yield_now().await;
    };
    assert!(found.contains("ELSE content END"), "{found}");
    waiting.abort();
    two.take_statements();
    attempt.say(&long);
    let mut text = String::new();
    while text.len() < "One, ".len() + long.len() {
        let more = events.progress().await["text"].take();
        assert!(more.as_str().unwrap().len() <= 64 * 1024);
        text += more.as_str().unwrap();
    }
    assert_eq!(text, format!("One, {long}"));
    let whole = |sql: &str| sql.contains("\"content\"") || sql.contains("SELECT *");
    assert!(!two.take_statements().iter().any(|statement| whole(&statement.sql)), "whole rows are read");
    attempt.finish();
    assert_eq!(events.progress().await["message"]["content"].as_str().unwrap().len(), text.len());
    assert_eq!(two.take_statements().iter().filter(|statement| whole(&statement.sql)).count(), 1);
}

/// What makes a text findable is prepared before the transaction begins in which the reply ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn no_transaction_is_open_while_a_long_reply_is_prepared_for_the_search() {
    let test_database = TestDatabase::postgres().await;
    let (assistant, script) = ScriptedAssistant::new();
    // It takes messages, and leaves their replies to the other.
    let mut settings = Settings::default();
    settings.replies.replies = 0;
    let server = TestServer::with(&test_database, settings).await;
    let mut database = test_database.connect().await;
    let seen: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
    let notes = seen.clone();
    database.observe(move |statement| notes.lock().unwrap().push((Instant::now(), statement.sql.clone())));
    let signals = Arc::new(causerie::signal::Hub::default());
    let catalog = Catalog::of(Profile::new(DEFAULT_ID, assistant));
    let replies = Replies::start(database, signals, Arc::new(catalog), reply::Options::default());
    let sent = server.user("ann").send("hello", json!({ "awaitReply": false })).await;
    let attempt = script.next().await;
    // Because of the reply that waits, the end takes a transaction and not one statement.
    let behind = json!({ "awaitReply": false, "conversationId": sent["conversation"]["id"] });
    server.user("ann").send("hello again", behind).await;
    let text = "word ".repeat(200_000);
    let began = Instant::now();
    drop(causerie::index::Entry::of("ann", &text));
    let preparing = began.elapsed();
    seen.lock().unwrap().clear();
    attempt.say(&text);
    attempt.finish();
    replies.wait_for_end("ann", sent["reply"]["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    let seen = seen.lock().unwrap();
    let at = |part: &str| seen.iter().rev().find(|(_, sql)| sql.contains(part)).unwrap().0;
    let open = at("INTO message_search") - at("INTO account");
    assert!(open < preparing, "open for {open:?}; it takes {preparing:?} to prepare");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_server_does_not_take_over_its_own_replies() {
    let database = TestDatabase::postgres().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    // No checkpoint extends the lease.
    (settings.replies.lease, settings.replies.checkpoint) = (LEASE, Duration::from_mins(1));
    let server = TestServer::with(&database, settings).await;
    let sent = server.user("ann").send("hello", json!({ "awaitReply": false })).await;
    let attempt = script.next().await;
    database.becomes(LAPSED, 1).await;
    assert!(timeout(4 * LEASE, script.next()).await.is_err(), "the provider is asked once");
    attempt.say("One.");
    attempt.finish();
    let ended = server
        .replies()
        .wait_for_end("ann", sent["reply"]["id"].as_str().unwrap().parse().unwrap())
        .await
        .unwrap();
    assert_eq!((ended.content.as_str(), ended.attempt), ("One.", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn who_is_back_first_gives_the_others_the_time_of_a_lease() {
    let database = TestDatabase::postgres().await;
    let (to_one, to_two) = (Proxy::to(database.url()).await, Proxy::to(database.url()).await);
    let lease = Duration::from_secs(4);
    let server = async |proxy: &Proxy| {
        let (assistant, script) = ScriptedAssistant::new();
        let mut settings = Settings { assistant, ..Settings::default() };
        settings.replies.lease = lease;
        (TestServer::with(&database.behind(proxy), settings).await, script)
    };
    let ((one, first), (_two, second)) = (server(&to_one).await, server(&to_two).await);
    let running = begin(&one.user("ann"), &first, 1).await;
    // The other one is settled.
    tokio::time::sleep(lease + LEASE).await;
    to_one.cut();
    to_two.cut();
    running[0].1.say("two, ");
    database.becomes(LAPSED, 1).await;
    to_two.mend();
    assert!(timeout(lease / 2, second.next()).await.is_err(), "the provider is asked once");
    to_one.mend();
    database.becomes(LAPSED, 0).await;
    running[0].1.say("three.");
    running[0].1.finish();
    let ended =
        one.replies().wait_for_end("ann", running[0].0.as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!((ended.content.as_str(), ended.attempt), ("One, two, three.", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn who_reads_the_end_of_a_reply_waits_through_an_outage() {
    let database = TestDatabase::postgres().await;
    let proxy = Arc::new(Proxy::to(database.url()).await);
    let (one, script) = server(&database).await;
    // The database goes away as the end is about to be read.
    let (cuts, cut) = (proxy.clone(), std::sync::Once::new());
    let mut settings = Settings::default();
    settings.replies.replies = 0;
    settings.observer = Some(Arc::new(move |statement: &sea_orm::Statement| {
        if statement.sql.contains("ELSE content END") {
            cut.call_once(|| cuts.cut());
        }
    }));
    let two = TestServer::with(&database.behind(&proxy), settings).await;
    let ann = one.user("ann");
    let running = begin(&ann, &script, 1).await;
    let there = ann.at(two.url());
    let reader = tokio::spawn(read(there.subscribe(PROGRESS, json!({ "id": running[0].0 })).await));
    running[0].1.finish();
    one.replies().wait_for_end("ann", running[0].0.as_str().unwrap().parse().unwrap()).await.unwrap();
    while !two.take_statements().iter().any(|statement| statement.sql.contains("ELSE content END")) {
        tokio::task::yield_now().await;
    }
    // Longer than any statement is tried for.
    assert_eq!(there.code("{ conversations { totalCount } }", json!({})).await, "UNAVAILABLE");
    proxy.mend();
    assert_eq!(reader.await.unwrap(), "One, ");
}
