//! Versions as fields of a message, without a statement for each.

use serde_json::{Value, json};

use super::{REGENERATE, act, edit, id};
use crate::support::{Client, TestServer, on_both_databases};

const SIBLINGS: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  message(id: $id) { siblingIndex siblingCount
    siblings(first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
const FIFTY: &str = "query($id: ID!, $first: Int) { messages(conversationId: $id, first: $first) {
  nodes { id siblingIndex siblingCount siblings(last: 2) { totalCount nodes { id content } } } } }";

/// A page of the siblings of a message: the ids, whether there is more before and after, and the cursors.
async fn page(client: &Client, message: &str, mut paging: Value) -> (Vec<String>, bool, bool, Value, Value) {
    paging["id"] = message.into();
    let page = client.data(SIBLINGS, paging).await["message"]["siblings"].take();
    let info = &page["pageInfo"];
    (
        page["nodes"].as_array().unwrap().iter().map(id).collect(),
        info["hasPreviousPage"] == true,
        info["hasNextPage"] == true,
        info["startCursor"].clone(),
        info["endCursor"].clone(),
    )
}

on_both_databases! {
    async fn siblings_are_in_order_of_creation_in_pages_both_ways(database) {
        // Two servers, whose clocks need not agree.
        let servers = [TestServer::start(&database).await, TestServer::start(&database).await];
        let ann = servers[0].user("ann");
        let sent = ann.send("one", json!({})).await;
        let mut versions = vec![id(&sent["message"])];
        for number in 0..4 {
            let client = ann.at(servers[number % 2].url());
            versions.push(id(&edit(&client, &versions[0], &format!("version {number}")).await["message"]));
        }
        for (index, version) in versions.iter().enumerate() {
            let message = ann.data(SIBLINGS, json!({ "id": version })).await["message"].take();
            assert_eq!((&message["siblingIndex"], &message["siblingCount"]), (&json!(index), &json!(5)));
            assert_eq!(message["siblings"]["totalCount"], 5);
        }
        let (first, previous, next, _, end) = page(&ann, &versions[2], json!({ "first": 2 })).await;
        assert_eq!((&first[..], previous, next), (&versions[..2], false, true));
        let (then, previous, next, start, _) = page(&ann, &versions[2], json!({ "first": 9, "after": end })).await;
        assert_eq!((&then[..], previous, next), (&versions[2..], true, false));
        let (back, previous, next, _, _) = page(&ann, &versions[0], json!({ "last": 1, "before": start })).await;
        assert_eq!((&back[..], previous, next), (&versions[1..2], true, true));
        let positions = ann.data("query($id: ID!) { messages(conversationId: $id) { pageInfo { endCursor } } }",
            json!({ "id": id(&sent["conversation"]) })).await["messages"]["pageInfo"]["endCursor"].take();
        assert_eq!(ann.code(SIBLINGS, json!({ "id": versions[0], "after": positions })).await, "BAD_USER_INPUT");
    }

    async fn fifty_messages_with_siblings_cost_as_many_statements_as_two(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let conversation = ann.start("turn 0").await;
        for number in 1..25 {
            let sent = ann.send(&format!("turn {number}"), json!({ "conversationId": conversation })).await;
            if number % 6 == 0 {
                act(&ann, REGENERATE, &id(&sent["reply"]), json!({})).await;
            }
        }
        server.take_statements();
        let two = ann.data(FIFTY, json!({ "id": conversation, "first": 2 })).await;
        let few = server.take_statements();
        let fifty = ann.data(FIFTY, json!({ "id": conversation, "first": 50 })).await;
        let many = server.take_statements();
        assert_eq!(two["messages"]["nodes"].as_array().unwrap().len(), 2);
        let nodes = fifty["messages"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 50);
        for node in nodes {
            let versions = node["siblings"]["nodes"].as_array().unwrap();
            assert_eq!(versions[usize::try_from(node["siblingIndex"].as_i64().unwrap()).unwrap()]["id"], node["id"]);
            assert_eq!(node["siblingCount"], versions.len());
        }
        assert_eq!(nodes.iter().filter(|node| node["siblingCount"] == 2).count(), 4);
        // The conversation, its messages, their families, and the siblings.
        assert_eq!(few.len(), 4, "{few:#?}");
        assert_eq!(many.len(), few.len(), "{many:#?}");
    }
}
