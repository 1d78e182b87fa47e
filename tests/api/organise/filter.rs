//! Finding conversations by their metadata, as folders and tags do.

use serde_json::{Value, json};

use super::{delete, keep, try_update, update};
use crate::support::{Client, TestServer, on_both_databases};

const LIST: &str =
    "query($metadata: JSON, $states: [ConversationState!] = [ACTIVE], $order: ConversationOrder) {
  conversations(first: 100, filter: { metadata: $metadata, states: $states }, orderBy: $order) {
    totalCount nodes { title } pageInfo { hasNextPage hasPreviousPage } } }";

async fn create(client: &Client, title: &str, metadata: Value) -> String {
    let query = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    let data = client.data(query, json!({ "input": { "title": title, "metadata": metadata } })).await;
    data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned()
}

async fn found(client: &Client, metadata: Value) -> String {
    found_in(client, metadata, &["ACTIVE"]).await
}

async fn found_in(client: &Client, metadata: Value, states: &[&str]) -> String {
    let variables = json!({ "metadata": metadata, "states": states, "order": "TITLE_ASC" });
    let list = client.data(LIST, variables).await["conversations"].take();
    let titles: Vec<&str> =
        list["nodes"].as_array().unwrap().iter().map(|node| node["title"].as_str().unwrap()).collect();
    assert_eq!(list["totalCount"], titles.len());
    titles.join(" ")
}

on_both_databases! {
    async fn what_contains_it_is_found_and_nothing_else(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        create(&server.user("bob"), "theirs", json!({ "folder": "work" })).await;
        create(&ann, "a", json!({ "folder": "work", "tags": ["red", "green"], "n": 1 })).await;
        create(&ann, "b", json!({ "folder": "home", "tags": ["green"], "deep": { "er": { "x": [1, null] } } })).await;
        create(&ann, "c", json!({ "folder": "work", "tags": "green", "n": 1.0, "deep": { "er": {} } })).await;
        create(&ann, "d", json!({ "tags": [], "list": [{ "folder": "work" }], "n": "1", "deep.er": 1 })).await;
        for (filter, titles) in [
            (json!({}), "a b c d"),
            (Value::Null, "a b c d"),
            (json!({ "folder": "work" }), "a c"),
            (json!({ "folder": "Work" }), ""),
            (json!({ "folder": "work", "n": 1 }), "a c"),
            (json!({ "folder": "work", "tags": ["green"] }), "a"),
            (json!({ "tags": ["green"] }), "a b"),
            (json!({ "tags": ["green", "red", "red"] }), "a"),
            (json!({ "tags": "green" }), "c"),
            (json!({ "tags": [] }), "a b d"),
            (json!({ "deep": {} }), "b c"),
            (json!({ "deep": { "er": {} } }), "b c"),
            (json!({ "deep": { "er": { "x": [null] } } }), "b"),
            (json!({ "deep": { "er": { "x": null } } }), ""),
            (json!({ "n": "1" }), "d"),
            (json!({ "list": [] }), "d"),
            (json!({ "nothing": null }), ""),
        ] {
            assert_eq!(found(&ann, filter.clone()).await, titles, "{filter}");
        }
        let many: Vec<u32> = (0..11).collect();
        for bad in [json!([]), json!("a"), json!({ "list": [{ "folder": "work" }] }), json!({ "a": [[]] }), json!({ "a": many })] {
            let refused = ann.run(LIST, json!({ "metadata": bad })).await;
            assert_eq!(refused.code(), "BAD_USER_INPUT", "{bad}");
            assert_eq!(refused.body["errors"][0]["extensions"]["field"], "filter.metadata", "{bad}");
        }
    }

    async fn changes_copies_and_the_trash_are_found_as_they_are(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = create(&ann, "a", json!({ "folder": "work", "n": 1 })).await;
        update(&ann, &id, json!({ "metadata": { "folder": "home", "n": null } })).await;
        assert_eq!(found(&ann, json!({ "folder": "work" })).await, "");
        assert_eq!(found(&ann, json!({ "n": 1 })).await, "");
        assert_eq!(found(&ann, json!({ "folder": "home" })).await, "a");
        update(&ann, &id, json!({ "archived": true })).await;
        assert_eq!(found(&ann, json!({ "folder": "home" })).await, "");
        assert_eq!(found_in(&ann, json!({ "folder": "home" }), &["ARCHIVED"]).await, "a");
        create(&ann, "b", json!({ "folder": "active" })).await;
        let list = ann.data(LIST, json!({ "states": null })).await["conversations"].take();
        assert_eq!(list["nodes"], json!([{ "title": "b" }]), "`null` stands for the active ones");
        delete(&ann, &id).await;
        assert_eq!(found_in(&ann, json!({ "folder": "home" }), &["ACTIVE", "ARCHIVED"]).await, "");
        assert_eq!(found_in(&ann, json!({ "folder": "home" }), &["ARCHIVED", "TRASHED"]).await, "a");
        keep(&ann, "restoreConversation", &id).await;
        assert_eq!(found_in(&ann, json!({ "folder": "home" }), &["ARCHIVED"]).await, "a");

        let sent = ann.send("fork", json!({})).await;
        let fork = "mutation($id: ID!) { forkConversation(input: { messageId: $id, metadata: { folder: \"fork\" } }) { conversation { id } } }";
        ann.data(fork, json!({ "id": sent["reply"]["id"] })).await;
        assert_eq!(found(&ann, json!({ "folder": "fork" })).await, "fork");

        let values: Vec<u32> = (0..256).collect();
        let refused = try_update(&ann, &id, json!({ "metadata": { "values": values } })).await;
        assert_eq!(refused.code(), "BAD_USER_INPUT");
        assert_eq!(found_in(&ann, json!({ "folder": "home" }), &["ARCHIVED"]).await, "a");
        update(&ann, &id, json!({ "metadata": { "folder": null } })).await;
        assert_eq!(database.number("SELECT count(*) FROM conversation_metadata").await, 2, "only those of the others are left");
    }

    async fn what_is_erased_leaves_no_values(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = create(&ann, "a", json!({ "folder": "secret" })).await;
        delete(&ann, &id).await;
        assert_eq!(database.number("SELECT count(*) FROM conversation_metadata").await, 1);
        let _eraser = super::eraser(&database).await;
        database.becomes("SELECT count(*) FROM conversation_metadata", 0).await;
    }
}
