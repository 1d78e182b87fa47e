//! The database goes away and comes back: requests are told so in time, and nothing acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{Client, Proxy, ScriptedAssistant, Settings, TestDatabase, TestServer};

const RENAME: &str = "mutation($id: ID!) {
  updateConversation(input: { conversationId: $id, title: \"Talk\" }) { conversation { title } }
}";

const OPEN: &str = "query($id: ID!) { conversation(id: $id) { title messages { nodes { content } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn while_the_network_is_cut_requests_are_told_so_and_then_all_is_well() {
    let (_database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let server = TestServer::start(&behind).await;
    let id = server.user("ann").start("hello").await;
    proxy.cut();
    assert_all_unavailable(&server, &id).await;
    proxy.mend();
    assert_all_well(&server, &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn while_nothing_comes_through_requests_are_told_so_and_then_all_is_well() {
    let (_database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let server = TestServer::start(&behind).await;
    let id = server.user("ann").start("hello").await;
    proxy.block();
    assert_all_unavailable(&server, &id).await;
    proxy.mend();
    assert_all_well(&server, &id).await;
}

/// Every kind of request is told within 5 s that the service is unavailable; many at once are no slower.
async fn assert_all_unavailable(server: &TestServer, id: &str) {
    let began = Instant::now();
    let (ann, id) = (&server.user("ann"), &json!({ "id": id }));
    let graphql = join_all((0..12).map(|number| async move {
        let answer = match number % 4 {
            0 => ann.run(OPEN, id.clone()).await,
            1 => ann.run(RENAME, id.clone()).await,
            2 => ann.try_send("hello", json!({ "conversationId": id["id"] })).await,
            _ => {
                ann.run("{ conversations { totalCount nodes { lastMessage { content } } } }", json!({})).await
            }
        };
        (answer, began.elapsed())
    }));
    let rest = async {
        let request = ann.post("/api/ann/chat").json(&json!({ "message": "hello" }));
        let response = request.send().await.unwrap();
        (response.status(), response.json::<Value>().await.unwrap(), began.elapsed())
    };
    let ready = async {
        let status = ann.get("/readyz").send().await.unwrap().status();
        (status, began.elapsed())
    };
    let (graphql, rest, ready) = tokio::join!(graphql, rest, ready);
    for (answer, elapsed) in graphql {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.code(), "UNAVAILABLE");
        let text = answer.body.to_string();
        assert!(!text.contains("127.0.0.1") && !text.contains("ostgres") && !text.contains("pool"), "{text}");
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
    assert_eq!(rest.0, 503);
    assert_eq!(rest.1["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!(ready.0, 503);
    assert!(
        rest.2 < Duration::from_secs(5) && ready.1 < Duration::from_secs(5),
        "{:?} {:?}",
        rest.2,
        ready.1
    );
    assert_eq!(ann.get("/healthz").send().await.unwrap().status(), 200, "the server itself is alive");
}

/// The server serves again without a restart, at the first request.
async fn assert_all_well(server: &TestServer, id: &str) {
    let ann = server.user("ann");
    let opened = ann.data(OPEN, json!({ "id": id })).await;
    assert_eq!(opened["conversation"]["messages"]["nodes"][0]["content"], "hello");
    ann.data(RENAME, json!({ "id": id })).await;
    let sent = ann.send("hello again", json!({ "conversationId": id })).await;
    assert_eq!(sent["reply"]["status"], "COMPLETE");
    assert_eq!(ann.get("/readyz").send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn nothing_acknowledged_is_lost_and_nothing_is_stored_twice() {
    let (_database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let server = TestServer::start(&behind).await;
    let going_on = Arc::new(AtomicBool::new(true));
    let (refusals, mut refused) = unbounded_channel();
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let client = server.user(&format!("user {}", number % 2));
            tokio::spawn(write_on(client, number, going_on.clone(), refusals.clone()))
        })
        .collect();
    let reader = server.user("user 0");
    for outage in [Proxy::cut, Proxy::block, Proxy::cut] {
        // Each time some requests have gone through, and some are under way.
        for _ in 0..20 {
            reader.run("{ conversations { totalCount } }", json!({})).await;
        }
        outage(&proxy);
        assert_eq!(reader.code("{ conversations { totalCount } }", json!({})).await, "UNAVAILABLE");
        while refused.try_recv().is_ok() {}
        refused.recv().await.expect("a writer notices the outage");
        proxy.mend();
        reader.data("{ conversations { totalCount } }", json!({})).await;
    }
    going_on.store(false, Ordering::Relaxed);

    for (number, writer) in writers.into_iter().enumerate() {
        let (conversation, count) = writer.await.unwrap();
        let messages = server.user(&format!("user {}", number % 2)).messages(&conversation).await;
        let said: Vec<_> = messages.iter().step_by(2).map(|message| message["content"].clone()).collect();
        let expected: Vec<Value> = (0..count).map(|message| format!("{number}: {message}").into()).collect();
        assert_eq!(said, expected, "each once, in order");
    }
}

/// Sends messages one after another, each again and again until it is acknowledged: the last one too, as nobody knows
/// whether one that was refused is stored. Tells of each refusal. Returns the conversation, and how many were sent.
async fn write_on(
    client: Client,
    writer: usize,
    going_on: Arc<AtomicBool>,
    refusals: UnboundedSender<()>,
) -> (String, usize) {
    let mut conversation = Value::Null;
    let mut count = 0;
    loop {
        let input = json!({
            "conversationId": conversation, "idempotencyKey": format!("{writer}-{count}"), "awaitReply": false,
        });
        let answer = client.try_send(&format!("{writer}: {count}"), input).await;
        if answer.body.get("errors").is_none() {
            conversation = answer.data()["sendMessage"]["conversation"]["id"].take();
            count += 1;
            if !going_on.load(Ordering::Relaxed) {
                return (conversation.as_str().unwrap().to_owned(), count);
            }
        } else {
            assert_eq!(answer.code(), "UNAVAILABLE");
            let _ = refusals.send(());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_reply_that_runs_meanwhile_is_stored_afterwards() {
    let (_database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = Duration::from_mins(1);
    let server = TestServer::with(&behind, settings).await;
    let ann = server.user("ann");
    let sent = ann.send("hello", json!({ "idempotencyKey": "once", "awaitReply": false })).await;
    let attempt = script.next().await;
    attempt.say("One, ");
    let id = sent["conversation"]["id"].as_str().unwrap();
    while ann.messages(id).await[1]["content"] != "One, " {
        tokio::task::yield_now().await;
    }

    proxy.cut();
    attempt.say("two, ");
    assert_eq!(ann.code(OPEN, json!({ "id": id })).await, "UNAVAILABLE");
    attempt.say("three.");
    attempt.finish();
    proxy.mend();
    let ended = ann.send("hello", json!({ "idempotencyKey": "once" })).await;
    assert_eq!(ended["reply"]["status"], "COMPLETE");
    assert_eq!(ended["reply"]["content"], "One, two, three.");
    assert_eq!(ended["reply"]["id"], sent["reply"]["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_server_that_was_cut_off_does_not_overwrite_its_successor() {
    let (database, proxy, behind) = TestDatabase::behind_a_proxy().await;
    let (assistant, first_script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = Duration::from_secs(1);
    let cut_off = TestServer::with(&behind, settings).await;
    let ann = cut_off.user("ann");
    let sent = ann.send("hello", json!({ "awaitReply": false, "idempotencyKey": "once" })).await;
    let ghost = first_script.next().await;
    ghost.say("a ghost's ");
    proxy.cut();

    let (assistant, second_script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    settings.replies.lease = Duration::from_secs(1);
    let server = TestServer::with(&database, settings).await;
    let ann = ann.at(server.url());
    let successor = second_script.next().await;
    successor.say("the successor's ");
    ghost.say("words");
    proxy.mend();
    // The ghost is told that it is one at its next look at the database.
    ghost.dropped().await;
    successor.say("words");
    successor.finish();
    let ended = ann.send("hello", json!({ "idempotencyKey": "once" })).await;
    assert_eq!(ended["reply"]["content"], "the successor's words");
    assert_eq!(ended["reply"]["id"], sent["reply"]["id"]);
}
