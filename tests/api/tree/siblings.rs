//! Versions as fields of a message, without a statement for each.

use serde_json::{Value, json};

use super::{REGENERATE, act, edit, id};
use crate::support::{Client, TestServer, on_both_databases};

const SIBLINGS: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  message(id: $id) { siblingIndex siblingCount previousVersionId nextVersionId
    siblings(first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
const FIFTY: &str = "query($id: ID!, $first: Int) { messages(conversationId: $id, first: $first) {
  nodes { id siblingIndex siblingCount previousVersionId nextVersionId siblings(last: 2) { totalCount nodes { id content } } } } }";

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
            assert_eq!(message["previousVersionId"], json!(index.checked_sub(1).map(|index| &versions[index])));
            assert_eq!(message["nextVersionId"], json!(versions.get(index + 1)));
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
        // A cursor of other siblings is refused, and a page behind the last one still knows how many there are.
        let reply = ann.data(SIBLINGS, json!({ "id": sent["reply"]["id"] })).await["message"]["siblings"].take();
        let others = reply["pageInfo"]["endCursor"].clone();
        assert_eq!(ann.code(SIBLINGS, json!({ "id": versions[0], "after": others })).await, "BAD_USER_INPUT");
        let all = ann.data(SIBLINGS, json!({ "id": versions[0] })).await["message"]["siblings"].take();
        for paging in [json!({ "after": all["pageInfo"]["endCursor"] }), json!({ "first": 0 }), json!({ "last": 0 })] {
            let mut variables = paging.clone();
            variables["id"] = json!(versions[0]);
            let empty = ann.data(SIBLINGS, variables).await["message"]["siblings"].take();
            assert_eq!((&empty["nodes"], &empty["totalCount"]), (&json!([]), &json!(5)), "{paging}");
        }
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
            let index = usize::try_from(node["siblingIndex"].as_u64().unwrap()).unwrap();
            let neighbour = |index: Option<usize>| index.and_then(|index| versions.get(index)).map(|version| &version["id"]);
            assert_eq!(Some(&node["previousVersionId"]).filter(|id| !id.is_null()), neighbour(index.checked_sub(1)));
            assert_eq!(Some(&node["nextVersionId"]).filter(|id| !id.is_null()), neighbour(Some(index + 1)));
        }
        assert_eq!(nodes.iter().filter(|node| node["siblingCount"] == 2).count(), 4);
        // The messages, their places among their siblings, and the siblings.
        assert_eq!(few.len(), 3, "{few:#?}");
        assert_eq!(many.len(), few.len(), "{many:#?}");
    }
}
