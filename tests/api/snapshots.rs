//! What one field answers is of one moment, whatever others write meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Client, TestServer, on_both_databases};

/// How often each list is read.
const READS: usize = 100;

const EDIT: &str = "mutation($id: ID!) { editMessage(input: { messageId: $id, content: \"hello again\" }) { message { id } } }";
const DELETE: &str = "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }";

/// Reads a list again and again while `write` runs, and checks each answer.
async fn read_while<W: Future<Output = ()>>(
    client: &Client,
    query: &str,
    variables: &Value,
    write: impl Fn() -> W,
    check: impl Fn(&Value),
) {
    let is_done = AtomicBool::new(false);
    let reading = async {
        for _ in 0..READS {
            check(&client.data(query, variables.clone()).await);
        }
        is_done.store(true, Ordering::Relaxed);
    };
    let writing = async {
        while !is_done.load(Ordering::Relaxed) {
            write().await;
        }
    };
    tokio::join!(reading, writing);
}

fn count(list: &Value) -> usize {
    list["nodes"].as_array().unwrap().len()
}

on_both_databases! {
    async fn a_page_of_messages_and_the_length_of_the_path_are_of_one_moment(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        for _ in 0..3 {
            ann.send("hello", json!({ "conversationId": id })).await;
        }
        let query = "query($id: ID!) {
          conversation(id: $id) { lastMessage { id } messages(last: 10) { totalCount nodes { position } pageInfo { hasPreviousPage hasNextPage } } } }";
        let write = async || {
            let first = ann.send("hello", json!({ "conversationId": id })).await;
            ann.send("hello", json!({ "conversationId": id })).await;
            ann.data(DELETE, json!({ "id": first["message"]["id"] })).await;
        };
        read_while(&ann, query, &json!({ "id": id }), write, |data| {
            let list = &data["conversation"]["messages"];
            let total = list["totalCount"].as_i64().unwrap();
            let expected: Vec<i64> = ((total - 10).max(0) + 1..=total).collect();
            let positions = list["nodes"].as_array().unwrap().iter().map(|node| node["position"].as_i64().unwrap());
            assert_eq!(positions.collect::<Vec<_>>(), expected, "{list}");
            assert_eq!(list["pageInfo"], json!({ "hasPreviousPage": total > 10, "hasNextPage": false }));
        })
        .await;
    }

    async fn a_page_of_siblings_and_their_number_are_of_one_moment(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("hello", json!({})).await;
        let id = &sent["message"]["id"];
        let query = "query($id: ID!) { message(id: $id) {
          siblings(first: 4) { totalCount nodes { id } pageInfo { hasNextPage } } } }";
        let write = async || {
            let mut versions = Vec::new();
            for _ in 0..4 {
                versions.push(ann.data(EDIT, json!({ "id": id })).await["editMessage"]["message"]["id"].take());
            }
            for version in versions {
                ann.data(DELETE, json!({ "id": version })).await;
            }
        };
        read_while(&ann, query, &json!({ "id": id }), write, |data| {
            let list = &data["message"]["siblings"];
            let total = usize::try_from(list["totalCount"].as_u64().unwrap()).unwrap();
            assert_eq!(count(list), total.min(4), "{list}");
            assert_eq!(list["pageInfo"]["hasNextPage"], total > 4, "{list}");
        })
        .await;
    }

    async fn a_page_of_hits_has_as_many_as_it_says_there_are_more(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("start").await;
        let query = "{ search(query: \"findable\", first: 2, filter: { role: USER }) {
          nodes { conversation { id } message { content } snippet { text } } pageInfo { hasNextPage endCursor } } }";
        let write = async || {
            let first = ann.send("findable one", json!({ "conversationId": id })).await;
            for content in ["findable two", "findable three"] {
                ann.send(content, json!({ "conversationId": id })).await;
            }
            ann.data(DELETE, json!({ "id": first["message"]["id"] })).await;
        };
        read_while(&ann, query, &json!({}), write, |data| {
            let list = &data["search"];
            assert!(list["pageInfo"]["hasNextPage"] == false || count(list) == 2, "{list}");
        })
        .await;
    }
}
