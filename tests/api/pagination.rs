//! Pages are what slicing the whole list gives, however they are asked for.

use serde_json::{Value, json};

use crate::support::{Client, TestServer, on_both_databases};

/// How many items each list has.
const COUNT: usize = 8;

const CONVERSATIONS: &str = "
query($first: Int, $after: String, $last: Int, $before: String) {
  list: conversations(first: $first, after: $after, last: $last, before: $before) {
    totalCount
    edges { cursor node { id } }
    nodes { id }
    pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
  }
}";

const MESSAGES: &str = "
query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  list: messages(conversationId: $id, first: $first, after: $after, last: $last, before: $before) {
    totalCount
    edges { cursor node { id } }
    nodes { id }
    pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
  }
}";

const BRANCH: &str = "
query($id: ID!, $leaf: ID, $after: String, $before: String) {
  list: messages(conversationId: $id, leafId: $leaf, after: $after, before: $before) {
    nodes { id } edges { cursor } pageInfo { endCursor }
  }
}";

on_both_databases! {
    async fn every_page_is_a_slice_of_its_list(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        // Others' rows lie in between.
        for _ in 0..COUNT {
            ann.start("hello").await;
            server.user("bob").start("hello").await;
        }
        let id = ann.start("hello").await;
        for _ in 1..COUNT / 2 {
            ann.send("hello", json!({ "conversationId": id })).await;
        }
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
        let oldest = ann.data(CONVERSATIONS, json!({ "last": 1 })).await["list"]["nodes"][0]["id"].clone();
        ann.data(delete, json!({ "id": oldest })).await;

        check_all(&ann, CONVERSATIONS, &json!({})).await;
        check_all(&ann, MESSAGES, &json!({ "id": id })).await;
    }

    async fn a_place_outlives_what_was_there(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        for _ in 0..5 {
            ann.start("hello").await;
        }
        let all = ann.data(CONVERSATIONS, json!({})).await["list"].take();
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
        ann.data(delete, json!({ "id": all["nodes"][2]["id"] })).await;
        let place = &all["edges"][2]["cursor"];
        let after = ann.data(CONVERSATIONS, json!({ "after": place })).await["list"]["nodes"].take();
        assert_eq!(after, json!([all["nodes"][3], all["nodes"][4]]));
        let before = ann.data(CONVERSATIONS, json!({ "last": 1, "before": place })).await["list"]["nodes"].take();
        assert_eq!(before, json!([all["nodes"][1]]));
    }

    async fn without_arguments_messages_are_the_newest(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        for _ in 0..12 {
            ann.send("hello", json!({ "conversationId": id })).await;
        }
        let last = ann.data(MESSAGES, json!({ "id": id, "last": 20 })).await;
        assert_eq!(last["list"]["totalCount"], 26);
        assert_eq!(ann.data(MESSAGES, json!({ "id": id })).await, last);
        let nested = "query($id: ID!) { conversation(id: $id) { messages { nodes { id } pageInfo { hasPreviousPage } } } }";
        let nested = ann.data(nested, json!({ "id": id })).await["conversation"]["messages"].take();
        assert_eq!(nested["nodes"], last["list"]["nodes"]);
        assert_eq!(nested["pageInfo"]["hasPreviousPage"], true);
        // With a cursor the list goes on from there.
        let first = ann.data(MESSAGES, json!({ "id": id, "first": 2 })).await["list"].take();
        let after = json!({ "id": id, "after": first["pageInfo"]["endCursor"] });
        let explicit = with(&after, "first", &20.into());
        assert_eq!(ann.data(MESSAGES, after).await, ann.data(MESSAGES, explicit).await);
    }

    async fn a_cursor_of_another_conversation_or_branch_is_refused(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (one, other) = (ann.start("one").await, ann.start("other").await);
        let path = ann.data(BRANCH, json!({ "id": one })).await["list"].take();
        let leaf = &path["nodes"][1]["id"];
        let branch = ann.data(BRANCH, json!({ "id": one, "leaf": leaf })).await["list"].take();
        let shorter = ann.data(BRANCH, json!({ "id": one, "leaf": path["nodes"][0]["id"] })).await["list"].take();
        let elsewhere = ann.data(BRANCH, json!({ "id": other })).await["list"].take();
        let end = |list: &Value| list["pageInfo"]["endCursor"].clone();
        for (leaf, cursor) in [
            (&Value::Null, end(&elsewhere)),
            (&Value::Null, end(&branch)),
            (leaf, end(&path)),
            (leaf, end(&shorter)),
            (&json!("nonsense"), end(&path)),
        ] {
            for name in ["after", "before"] {
                let variables = json!({ "id": one, "leaf": leaf, name: cursor });
                let answer = ann.run(BRANCH, variables).await;
                let extensions = json!({ "code": "BAD_USER_INPUT", "field": name });
                assert_eq!(answer.body["errors"][0]["extensions"], extensions, "{name} {leaf}");
            }
        }
        for (leaf, cursor) in [(&Value::Null, end(&path)), (leaf, end(&branch))] {
            let before = ann.data(BRANCH, json!({ "id": one, "leaf": leaf, "before": cursor })).await["list"].take();
            assert_eq!(before["nodes"].as_array().unwrap().len(), 1);
        }
    }

    async fn a_cursor_of_the_active_path_goes_on_with_the_path_that_is_active_now(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        ann.send("two", json!({ "conversationId": id })).await;
        let old = ann.data(BRANCH, json!({ "id": id })).await["list"].take();
        let nodes = old["nodes"].as_array().unwrap().clone();
        let of_branch = ann.data(BRANCH, json!({ "id": id, "leaf": nodes[3]["id"] })).await["list"].take();
        let edit = "mutation($id: ID!) { editMessage(input: { messageId: $id, content: \"changed\" }) { message { id } reply { id } } }";
        let edited = ann.data(edit, json!({ "id": nodes[2]["id"] })).await["editMessage"].take();
        let new = [&edited["message"]["id"], &edited["reply"]["id"]];
        let page = async |variables: Value| {
            let list = ann.data(BRANCH, with(&variables, "id", &id.clone().into())).await["list"].take();
            list["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect::<Vec<_>>()
        };
        let second = &old["edges"][1]["cursor"];
        let third = &old["edges"][2]["cursor"];
        assert_eq!(page(json!({ "before": third })).await, [nodes[0]["id"].clone(), nodes[1]["id"].clone()]);
        assert_eq!(page(json!({ "after": second })).await, [new[0].clone(), new[1].clone()]);
        assert_eq!(page(json!({ "after": third })).await, [new[1].clone()]);
        // The old branch still is what it was.
        let leaf = &nodes[3]["id"];
        assert_eq!(page(json!({ "leaf": leaf, "after": of_branch["edges"][1]["cursor"] })).await, [nodes[2]["id"].clone(), leaf.clone()]);
    }

    async fn pages_have_limits_and_cursors_are_checked(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        for _ in 0..24 {
            ann.start("hello").await;
        }
        let default = ann.data(CONVERSATIONS, json!({})).await;
        assert_eq!(default["list"]["nodes"].as_array().unwrap().len(), 20);
        assert_eq!(default["list"]["totalCount"], 25);
        let of_conversations = default["list"]["pageInfo"]["endCursor"].clone();
        let of_messages = ann.data(MESSAGES, json!({ "id": id })).await["list"]["pageInfo"]["endCursor"].clone();
        for list in ["conversations", "messages"] {
            let (query, foreign) = match list {
                "conversations" => (CONVERSATIONS, &of_messages),
                _ => (MESSAGES, &of_conversations),
            };
            for page in [
                json!({ "first": 101 }),
                json!({ "last": 101 }),
                json!({ "first": -1 }),
                json!({ "last": -1 }),
                json!({ "first": i32::MAX }),
                json!({ "first": i32::MIN }),
                json!({ "first": 1, "last": 1 }),
                json!({ "after": "" }),
                json!({ "before": "" }),
                json!({ "after": "nonsense" }),
                json!({ "before": "é\u{0}" }),
                json!({ "after": "AAAA" }),
                json!({ "after": foreign }),
                json!({ "before": foreign }),
                json!({ "after": format!("{}x", foreign.as_str().unwrap()) }),
            ] {
                let answer = ann.run(query, with(&page, "id", &id.clone().into())).await;
                assert_eq!(answer.code(), "BAD_USER_INPUT", "{list}: {page}");
                assert_eq!(answer.body["data"], Value::Null, "{list}: {page}");
            }
            for page in [json!({ "first": 100 }), json!({ "last": 100 }), json!({ "first": null, "after": null })] {
                ann.data(query, with(&page, "id", &id.clone().into())).await;
            }
        }
        // An Int has 32 bits, says the language.
        assert_eq!(ann.code(CONVERSATIONS, json!({ "first": 1_u64 << 40 })).await, "BAD_USER_INPUT");
    }
}

/// Asks for every combination of arguments and compares the pages with the model.
async fn check_all(client: &Client, query: &str, variables: &Value) {
    let all = client.data(query, variables.clone()).await["list"].take();
    let edges = all["edges"].as_array().unwrap();
    assert_eq!(edges.len(), COUNT);
    let places: Vec<Option<usize>> = [None].into_iter().chain((0..COUNT).map(Some)).collect();
    for limit in [
        None,
        Some(("first", 0)),
        Some(("first", 2)),
        Some(("first", 100)),
        Some(("last", 0)),
        Some(("last", 3)),
    ] {
        for &after in &places {
            for &before in &places {
                // Not each with each, which would take long and show little.
                if matches!((after, before), (Some(after), Some(before)) if (after + before) % 3 != 0) {
                    continue;
                }
                let mut asked = variables.clone();
                for (name, place) in [("after", after), ("before", before)] {
                    if let Some(place) = place {
                        asked[name] = edges[place]["cursor"].clone();
                    }
                }
                if let Some((name, number)) = limit {
                    asked[name] = number.into();
                }
                let page = client.data(query, asked).await["list"].take();
                check(&page, edges, limit, after, before);
            }
        }
    }
}

#[track_caller]
fn check(
    page: &Value,
    all: &[Value],
    limit: Option<(&str, usize)>,
    after: Option<usize>,
    before: Option<usize>,
) {
    let case = format!("{limit:?} after {after:?} before {before:?}");
    let mut start = after.map_or(0, |place| place + 1);
    let mut end = before.unwrap_or(all.len());
    let crossed = start > end;
    end = end.max(start);
    match limit {
        Some(("first", number)) => end = end.min(start + number),
        Some((_, number)) => start = start.max(end.saturating_sub(number)),
        None => {}
    }
    let expected = if crossed { &[] } else { &all[start..end] };
    assert_eq!(page["edges"], json!(expected), "{case}");
    let nodes: Vec<_> = expected.iter().map(|edge| edge["node"].clone()).collect();
    assert_eq!(page["nodes"], json!(nodes), "{case}");
    assert_eq!(page["totalCount"], COUNT, "{case}");
    let cursor = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
    assert_eq!(page["pageInfo"]["startCursor"], cursor(expected.first()), "{case}");
    assert_eq!(page["pageInfo"]["endCursor"], cursor(expected.last()), "{case}");
    // Where two places leave nothing between them, nobody can say on which side of the page the rest is.
    if !crossed {
        assert_eq!(page["pageInfo"]["hasPreviousPage"], start > 0, "{case}");
        assert_eq!(page["pageInfo"]["hasNextPage"], end < all.len(), "{case}");
    }
}

fn with(value: &Value, name: &str, field: &Value) -> Value {
    let mut value = value.clone();
    value[name] = field.clone();
    value
}
