//! No change is ever skipped, however many are made at once through however many servers.

mod devices;
mod endings;
mod moments;
mod paths;
mod replies;
mod sharing;
mod sizes;
mod start;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Client, Settings, TestServer, on_both_databases};

macro_rules! event {
    () => {
        "__typename
        ... on ConversationChanged { place: cursor conversation { id title } }
        ... on ConversationDeleted { place: cursor conversationId }
        ... on MessageChanged { place: cursor message { id status content position } }"
    };
}

const PAGE: &str = concat!(
    "query($since: String, $first: Int) { changes(since: $since, first: $first) { nodes { ",
    event!(),
    " } pageInfo { hasNextPage endCursor } } }"
);
const LIVE: &str = concat!("subscription($since: String) { changes(since: $since) { ", event!(), " } }");
const CREATE: &str =
    "mutation($title: String!) { createConversation(input: { title: $title }) { conversation { id } } }";
const RENAME: &str = "mutation($id: ID!, $title: String!) {
  updateConversation(input: { conversationId: $id, title: $title }) { conversation { id } } }";
const DELETE: &str =
    "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";

/// How many write at once, at each server, and how often.
const WRITERS: usize = 3;
const ROUNDS: usize = 25;

/// What a client knows that has only ever read changes.
#[derive(Default)]
struct Replica {
    cursor: Value,
    conversations: BTreeMap<String, Value>,
    messages: BTreeMap<String, Value>,
    /// The ids of conversations in the order in which the changes told of them.
    order: Vec<String>,
    places: HashSet<String>,
}

impl Replica {
    fn take(&mut self, event: &Value) {
        self.cursor = event["place"].clone();
        assert!(self.places.insert(self.cursor.to_string()), "no place is told of twice: {event}");
        if let Some(id) = event["conversationId"].as_str() {
            assert!(self.conversations.insert(id.to_owned(), Value::Null).is_none_or(|row| !row.is_null()));
        } else if let Some(id) = event["conversation"]["id"].as_str() {
            self.order.push(id.to_owned());
            self.conversations.insert(id.to_owned(), event["conversation"].clone());
        } else {
            let message = &event["message"];
            self.messages.insert(message["id"].as_str().unwrap().to_owned(), message.clone());
        }
    }

    /// Takes a page; tells whether there is more.
    async fn page(&mut self, client: &Client, first: usize) -> bool {
        let variables = json!({ "since": self.cursor, "first": first });
        let page = client.data(PAGE, variables).await["changes"].take();
        let nodes = page["nodes"].as_array().unwrap();
        assert!(nodes.len() <= first);
        for event in nodes {
            self.take(event);
        }
        page["pageInfo"]["hasNextPage"] == true
    }

    /// Compares with what the other queries say.
    async fn check(&self, client: &Client) {
        let mut after = Value::Null;
        let mut there = BTreeMap::new();
        let mut messages = BTreeMap::new();
        loop {
            let query = "query($after: String) { conversations(first: 100, after: $after) {
              nodes { id title } pageInfo { hasNextPage endCursor } } }";
            let page = client.data(query, json!({ "after": after })).await["conversations"].take();
            for row in page["nodes"].as_array().unwrap() {
                let id = row["id"].as_str().unwrap();
                there.insert(id.to_owned(), row.clone());
                for mut message in client.messages(id).await {
                    let object = message.as_object_mut().unwrap();
                    object
                        .retain(|field, _| ["id", "status", "content", "position"].contains(&field.as_str()));
                    messages.insert(message["id"].as_str().unwrap().to_owned(), message);
                }
            }
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        let learnt = self.conversations.iter().filter(|(_, row)| !row.is_null());
        assert_eq!(learnt.map(|(id, row)| (id.clone(), row.clone())).collect::<BTreeMap<_, _>>(), there);
        for (id, message) in &messages {
            assert_eq!(self.messages.get(id), Some(message));
        }
    }
}

/// Writes so that each conversation is touched for the last time by another kind of write. Returns the ids of those
/// that were created and never touched again, in order, and of those deleted.
async fn write(client: Client, name: usize) -> (Vec<String>, Vec<String>) {
    let (mut created, mut deleted) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let answer = client.data(CREATE, json!({ "title": format!("{name}.{round}") })).await;
        let id = answer["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();
        match round % 4 {
            0 => {
                client.data(RENAME, json!({ "id": id, "title": format!("{name}.{round} anew") })).await;
            }
            1 => {
                client.send("hello", json!({ "conversationId": id, "awaitReply": false })).await;
            }
            2 if round > 12 => {
                client.data(DELETE, json!({ "id": id })).await;
                deleted.push(id);
            }
            _ => created.push(id),
        }
    }
    (created, deleted)
}

/// Has many write at two servers, and returns what they did.
async fn write_at_both(one: &TestServer, two: &TestServer) -> Vec<(Vec<String>, Vec<String>)> {
    let writers = (0..WRITERS * 2).map(|name| {
        let server = if name % 2 == 0 { one } else { two };
        write(server.user("ann"), name)
    });
    join_all(writers).await
}

/// Whether `replica` heard of what the writers did, in their order.
fn check_order(replica: &Replica, written: &[(Vec<String>, Vec<String>)]) {
    for (created, deleted) in written {
        let told: Vec<_> = replica.order.iter().filter(|id| created.contains(id)).collect();
        assert_eq!(told, created.iter().collect::<Vec<_>>(), "one writer's changes come in its order");
        assert!(deleted.iter().all(|id| replica.conversations.get(id) == Some(&Value::Null)));
    }
}

on_both_databases! {
    async fn a_reader_that_pages_while_others_write_misses_nothing(database) {
        let (one, two) = (TestServer::start(&database).await, TestServer::start(&database).await);
        let clients = [one.user("ann"), two.user("ann")];
        let writing = write_at_both(&one, &two);
        tokio::pin!(writing);
        let mut replica = Replica::default();
        let mut pages = 0;
        let written = loop {
            tokio::select! {
                written = &mut writing => break written,
                _ = replica.page(&clients[pages % 2], 1 + pages % 7) => pages += 1,
            }
        };
        assert!(pages > 20, "the reader reads while the others write");
        let under_way = "SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')";
        database.becomes(under_way, 0).await;
        while replica.page(&clients[0], 100).await {}
        check_order(&replica, &written);
        replica.check(&clients[1]).await;

        // Who comes for the first time gets each row once.
        let mut late = Replica::default();
        let mut rows = 0;
        while late.page(&clients[1], 7).await {
            rows += 7;
        }
        assert!(rows < late.conversations.len() + late.messages.len());
        assert_eq!(late.places.len(), late.conversations.len() + late.messages.len());
        late.check(&clients[0]).await;
    }

    async fn a_follower_at_each_server_misses_nothing(database) {
        let (one, two) = (TestServer::start(&database).await, TestServer::start(&database).await);
        let (first, second) = (one.user("ann"), two.user("ann"));
        let mut streams = [first.subscribe(LIVE, json!({})).await, second.subscribe(LIVE, json!({})).await];
        let written = write_at_both(&one, &two).await;
        let under_way = "SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')";
        database.becomes(under_way, 0).await;
        let last = first.data("{ viewer { changeCursor } }", json!({})).await;
        assert!(last["viewer"]["changeCursor"].is_string());
        // One more change, after which nothing can come.
        first.data(CREATE, json!({ "title": "the last one" })).await;
        for stream in &mut streams {
            let mut replica = Replica::default();
            let follow = async {
                loop {
                    let event = stream.next().await.expect("the stream goes on")["changes"].take();
                    replica.take(&event);
                    if event["conversation"]["title"] == "the last one" {
                        break;
                    }
                }
            };
            timeout(Duration::from_secs(15), follow).await.expect("the follower hears of the last change");
            check_order(&replica, &written);
            replica.check(&first).await;
        }
    }

    async fn somebody_else_hears_nothing(database) {
        let server = TestServer::with(&database, Settings::default()).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let mut stream = bob.subscribe(LIVE, json!({})).await;
        ann.start("hello").await;
        bob.start("mine").await;
        let mut replica = Replica::default();
        while !replica.messages.values().any(|message| message["position"] == 2 && message["status"] == "COMPLETE") {
            replica.take(&stream.next().await.unwrap()["changes"]);
        }
        replica.check(&bob).await;
        // A cursor is a place in one's own changes: with ann's, bob gets only what is his.
        let theirs = ann.data("{ viewer { changeCursor } }", json!({})).await["viewer"]["changeCursor"].take();
        let page = bob.data(PAGE, json!({ "since": theirs, "first": 100 })).await["changes"].take();
        for event in page["nodes"].as_array().unwrap() {
            assert_ne!(event["message"]["content"], "hello");
        }
    }
}
