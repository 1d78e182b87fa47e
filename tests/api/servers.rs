//! Two servers on one PostgreSQL database are as one.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer, without_ids};

/// A client whose requests go to the servers in turn.
struct Alternating {
    clients: Vec<Client>,
    next: AtomicUsize,
}

impl Alternating {
    fn over(servers: &[&TestServer]) -> Self {
        let clients = servers.iter().map(|server| server.user("ann")).collect();
        Self { clients, next: AtomicUsize::new(0) }
    }

    fn client(&self) -> &Client {
        &self.clients[self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len()]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn requests_that_alternate_are_answered_as_by_one_server() {
    let mut transcripts = Vec::new();
    for count in [1, 2] {
        let database = TestDatabase::postgres().await;
        let (one, two) = (TestServer::start(&database).await, TestServer::start(&database).await);
        let servers: &[&TestServer] = if count == 1 { &[&one] } else { &[&one, &two] };
        transcripts.push(session(&Alternating::over(servers)).await);
    }
    assert_eq!(transcripts[0].len(), transcripts[1].len());
    for (one, two) in transcripts[0].iter().zip(&transcripts[1]) {
        assert_eq!(one, two);
    }
}

/// One user's session in which each request builds on the one before; its answers, ids replaced.
async fn session(ann: &Alternating) -> Vec<String> {
    let mut transcript = Vec::new();
    let mut note = |value: &Value| transcript.push(without_ids(&value.to_string()));

    let create = "mutation { createConversation(input: { title: \"Talk\" }) { conversation { id title } } }";
    let created = ann.client().data(create, json!({})).await;
    let id = created["createConversation"]["conversation"]["id"].clone();
    for number in 0..9 {
        let input = json!({ "conversationId": id, "idempotencyKey": format!("key {number}") });
        note(&ann.client().send(&format!("message {number}"), input.clone()).await);
        note(&ann.client().send(&format!("message {number}"), input.clone()).await);
        let mismatch = ann.client().try_send("another message", input).await;
        assert_eq!(mismatch.code(), "IDEMPOTENCY_MISMATCH");
        let rename = "mutation($id: ID!, $title: String!) {
          updateConversation(input: { conversationId: $id, title: $title }) {
            conversation { id title messageCount lastMessage { content } }
          }
        }";
        note(&ann.client().data(rename, json!({ "id": id, "title": format!("Talk {number}") })).await);
    }

    let page = "query($id: ID!, $after: String) {
      messages(conversationId: $id, first: 4, after: $after) {
        totalCount
        nodes { id content position parent { id content } conversation { id title } }
        pageInfo { hasPreviousPage hasNextPage endCursor }
      }
    }";
    let mut after = Value::Null;
    while after != "" {
        let mut page = ann.client().data(page, json!({ "id": id, "after": after })).await;
        let info = &mut page["messages"]["pageInfo"];
        // It holds the conversation's id.
        let end = info["endCursor"].take();
        after = if info["hasNextPage"] == true { end } else { "".into() };
        note(&page);
    }

    let other = ann.client().start("another conversation").await;
    let list = "{ conversations { totalCount nodes { id title messages { nodes { id content } } } } }";
    note(&ann.client().data(list, json!({})).await);
    let delete =
        "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
    note(&ann.client().data(delete, json!({ "id": other })).await);
    let gone = "query($id: ID!) { conversation(id: $id) { id } node(id: $id) { id } }";
    note(&ann.client().data(gone, json!({ "id": other })).await);
    let to_gone = ann.client().try_send("hello", json!({ "conversationId": other })).await;
    note(&to_gone.body);
    note(&ann.client().data(list, json!({})).await);
    transcript
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_retry_at_the_other_server_waits_for_the_same_reply() {
    let database = TestDatabase::postgres().await;
    let (assistant, script) = ScriptedAssistant::new();
    let one = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
    let (assistant, other_script) = ScriptedAssistant::new();
    let two = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
    let input = json!({ "idempotencyKey": "once" });

    let (ann, input) = (one.user("ann"), &input);
    let first = ann.send("hello", input.clone());
    let retry = async {
        let attempt = script.next().await;
        attempt.say("Hello ");
        let ann = ann.at(two.url());
        // At once, it tells of a reply that runs; then it waits for its end, while the first call does too.
        let mut at_once = input.clone();
        at_once["awaitReply"] = false.into();
        let seen = ann.send("hello", at_once).await;
        assert_eq!(seen["reply"]["status"], "GENERATING");
        let (retried, ()) = tokio::join!(ann.send("hello", input.clone()), async {
            // Whoever sees the text at the other server sees it from the database: the reply is not ended by now.
            while ann.messages(seen["conversation"]["id"].as_str().unwrap()).await[1]["content"] != "Hello " {
                tokio::task::yield_now().await;
            }
            attempt.say("yourself");
            attempt.finish();
        });
        retried
    };
    let (sent, retried) = tokio::join!(first, retry);

    assert_eq!(sent["reply"]["content"], "Hello yourself");
    assert_eq!(sent, retried);
    assert_eq!(database.number("SELECT count(*) FROM message").await, 2);
    let none = tokio::select! {
        biased;
        _ = other_script.next() => false,
        () = std::future::ready(()) => true,
    };
    assert!(none, "the other server asked an assistant of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn simultaneous_messages_at_both_servers_have_one_order() {
    let database = TestDatabase::postgres().await;
    let (one, two) = (TestServer::start(&database).await, TestServer::start(&database).await);
    let both = Alternating::over(&[&one, &two]);
    let conversation = both.client().start("message 0").await;
    let sent = join_all((1..=60).map(|number| {
        // Each message is sent at both servers, under one key.
        let input =
            json!({ "conversationId": conversation, "idempotencyKey": format!("key {}", number / 2) });
        let client = both.client();
        async move { client.send(&format!("message {}", number / 2), input).await }
    }))
    .await;

    let messages = both.client().messages(&conversation).await;
    assert_eq!(messages, both.client().messages(&conversation).await);
    let places: Vec<_> = messages.iter().map(|message| message["position"].as_u64().unwrap()).collect();
    assert_eq!(places, (1..=64).collect::<Vec<_>>(), "keys 0 to 30, and the first one");
    for (message, reply) in messages.iter().step_by(2).zip(messages.iter().skip(1).step_by(2)) {
        assert_eq!(reply["parent"]["id"], message["id"]);
        let said = message["content"].as_str().unwrap();
        assert!(reply["content"].as_str().unwrap().ends_with(&format!("\n{said}")), "{reply}");
    }
    for answer in &sent {
        assert!(messages.contains(&answer["message"]), "{answer}");
        let reply = messages.iter().find(|message| message["id"] == answer["reply"]["id"]).unwrap();
        assert_eq!(answer["reply"]["content"], reply["content"]);
    }
}
