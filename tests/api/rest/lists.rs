//! Lists of conversations and of messages, page by page.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_refused, get};
use crate::support::{Client, TestServer, on_both_databases};

/// The items of all pages of a list, page by page.
async fn pages(client: &Client, path: &str, name: &str, limit: usize) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(client, &format!("{path}?limit={limit}&cursor={cursor}")).await;
        assert_eq!(status, 200, "{page}");
        pages.push(page[name].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return pages,
        }
    }
}

fn sizes(pages: &[Vec<Value>]) -> Vec<usize> {
    pages.iter().map(Vec::len).collect()
}

on_both_databases! {
    async fn conversations_are_listed_newest_activity_first(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        assert_eq!(get(&ann, "/api/ann/conversations").await.1, json!({ "conversations": [], "next_cursor": null }));
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.push(ann.start(&format!("conversation {number}")).await);
        }
        server.user("bob").start("another's").await;
        ann.send("more", json!({ "conversationId": ids[0] })).await;
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
        ann.data(delete, json!({ "id": ids[1] })).await;

        let listed = pages(&ann, "/api/ann/conversations", "conversations", 2).await;
        assert_eq!(sizes(&listed), [2, 2]);
        let listed: Vec<Value> = listed.concat();
        let shown: Vec<_> = listed.iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(shown, [&ids[0], &ids[4], &ids[3], &ids[2]]);
        let by_graphql = "{ conversations { nodes { id title messageCount createdAt updatedAt } } }";
        let nodes = ann.data(by_graphql, json!({})).await["conversations"]["nodes"].take();
        let instant = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
        for (item, node) in listed.iter().zip(nodes.as_array().unwrap()) {
            assert_eq!((&item["title"], &item["message_count"]), (&node["title"], &node["messageCount"]));
            assert_eq!(instant(&item["created_at"]), instant(&node["createdAt"]));
            assert_eq!(instant(&item["updated_at"]), instant(&node["updatedAt"]));
        }
        assert_eq!(get(&ann, "/api/ann/conversations?limit=4").await.1["next_cursor"], Value::Null);
    }

    async fn messages_are_listed_from_the_newest_page_on(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        ann.send("/fail", json!({ "conversationId": id })).await;
        ann.send("three", json!({ "conversationId": id })).await;
        let path = format!("/api/ann/conversations/{id}/messages");
        let listed = pages(&ann, &path, "messages", 4).await;
        assert_eq!(sizes(&listed), [4, 2]);
        // The newest page comes first, and in each the oldest message.
        let listed: Vec<Value> = listed.into_iter().rev().collect::<Vec<_>>().concat();
        let messages = ann.messages(&id).await;
        assert_eq!(listed.len(), messages.len());
        for (item, message) in listed.iter().zip(&messages) {
            for field in ["id", "role", "status", "content"] {
                assert_eq!(item[field], message[field]);
            }
            assert_eq!(item["tool_calls"], json!([]));
            assert!(item["created_at"].is_string() && item["finished_at"].is_string());
        }
        assert_eq!(listed[3]["failure"]["code"], "ASSISTANT_UNAVAILABLE");
        assert_eq!(listed[5]["failure"], Value::Null);
        assert_eq!(get(&ann, &path).await.1["messages"].as_array().unwrap().len(), 6);
    }

    async fn what_is_not_there_or_not_ones_own_is_refused(database) {
        let server = TestServer::start(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let (id, bobs) = (ann.start("hello").await, bob.start("hello").await);
        let deleted = ann.start("hello").await;
        let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
        ann.data(delete, json!({ "id": deleted })).await;
        for id in [&bobs, &deleted, &Uuid::now_v7().to_string(), "nonsense"] {
            let answer = get(&ann, &format!("/api/ann/conversations/{id}/messages")).await;
            assert_refused(&answer, 404, "NOT_FOUND");
        }
        for path in ["/api/ann/conversations".to_owned(), format!("/api/ann/conversations/{id}/messages")] {
            assert_refused(&get(&bob, &path).await, 403, "FORBIDDEN");
            assert_refused(&get(&server.anonymous(), &path).await, 401, "UNAUTHENTICATED");
        }
    }

    async fn what_is_wrong_with_a_page_is_said(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (one, other) = (ann.start("hello").await, ann.start("hello").await);
        let cursor = async |path: &str| {
            let next = get(&ann, &format!("{path}?limit=1")).await.1["next_cursor"].take();
            next.as_str().unwrap().to_owned()
        };
        let lists = ["/api/ann/conversations".to_owned(), format!("/api/ann/conversations/{one}/messages")];
        let of_conversations = cursor(&lists[0]).await;
        let of_messages = cursor(&lists[1]).await;
        let of_others = cursor(&format!("/api/ann/conversations/{other}/messages")).await;
        let by_title = "{ conversations(first: 1, orderBy: TITLE_ASC) { pageInfo { endCursor } } }";
        let by_title = ann.data(by_title, json!({})).await["conversations"]["pageInfo"]["endCursor"].take();
        let by_title = by_title.as_str().unwrap().to_owned();
        for (path, foreign) in [(&lists[0], [&of_messages, &by_title]), (&lists[1], [&of_conversations, &of_others])] {
            for limit in ["0", "101", "-1", "+1", "1.5", "x", "99999999999999999999999"] {
                let answer = get(&ann, &format!("{path}?limit={limit}")).await;
                assert_refused(&answer, 422, "BAD_USER_INPUT");
                assert_eq!(answer.1["errors"][0]["extensions"]["field"], "limit");
            }
            for cursor in foreign.into_iter().map(String::as_str).chain(["nonsense", "%00"]) {
                let answer = get(&ann, &format!("{path}?cursor={cursor}")).await;
                assert_refused(&answer, 422, "BAD_USER_INPUT");
                assert_eq!(answer.1["errors"][0]["extensions"]["field"], "cursor");
            }
            assert_refused(&get(&ann, &format!("{path}?limit=1&limit=1")).await, 422, "BAD_USER_INPUT");
            assert_eq!(get(&ann, &format!("{path}?cursor=&limit=&unknown=1")).await.0, 200);
        }
    }
}
