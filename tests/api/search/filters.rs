//! Narrowing a search down.

use chrono::{SecondsFormat, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::hits;
use crate::support::{Client, TestServer, on_both_databases};

/// How many messages of the user, replies and titles are found.
async fn kinds(client: &Client, filter: Value) -> (usize, usize, usize) {
    let hits = hits(client, "pears", filter).await;
    let of = |role: &Value| hits.iter().filter(|hit| &hit["message"]["role"] == role).count();
    (of(&json!("USER")), of(&json!("ASSISTANT")), of(&Value::Null))
}

on_both_databases! {
    async fn filters_narrow_a_search(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let first = ann.start("apples and pears").await;
        ann.start("pears only").await;
        assert_eq!(kinds(&ann, Value::Null).await, (2, 2, 2));
        assert_eq!(kinds(&ann, json!({})).await, (2, 2, 2));
        assert_eq!(kinds(&ann, json!({ "scope": "MESSAGES" })).await, (2, 2, 0));
        assert_eq!(kinds(&ann, json!({ "scope": "TITLES" })).await, (0, 0, 2));
        assert_eq!(kinds(&ann, json!({ "role": "USER" })).await, (2, 0, 0));
        assert_eq!(kinds(&ann, json!({ "role": "ASSISTANT" })).await, (0, 2, 0));
        assert_eq!(kinds(&ann, json!({ "role": "USER", "scope": "TITLES" })).await, (0, 0, 0));
        assert_eq!(kinds(&ann, json!({ "conversationId": first })).await, (1, 1, 1));
        assert_eq!(kinds(&ann, json!({ "conversationId": "nonsense" })).await, (0, 0, 0));
    }

    async fn created_is_a_range_without_its_end(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("pears", json!({})).await;
        let id = sent["message"]["id"].as_str().unwrap();
        let read = ann.data("query ($id: ID!) { message(id: $id) { createdAt } }", json!({ "id": id })).await;
        let created: chrono::DateTime<Utc> = read["message"]["createdAt"].as_str().unwrap().parse().unwrap();
        let at = |micros: i64| {
            (created + TimeDelta::microseconds(micros)).to_rfc3339_opts(SecondsFormat::Micros, true)
        };
        for (filter, found) in [
            (json!({ "createdSince": at(0) }), true),
            (json!({ "createdSince": at(1) }), false),
            (json!({ "createdSince": at(-1) }), true),
            (json!({ "createdBefore": at(0) }), false),
            (json!({ "createdBefore": at(1) }), true),
            (json!({ "createdSince": at(0), "createdBefore": at(1_000) }), true),
            (json!({ "createdSince": "0000-01-01T00:00:00+14:00", "createdBefore": "9999-12-31T23:59:59-12:00" }), true),
            (json!({ "createdSince": "9999-12-31T23:59:59-12:00" }), false),
        ] {
            let expected = if found { (1, 1, 1) } else { (0, 0, 0) };
            assert_eq!(kinds(&ann, filter.clone()).await, expected, "{filter}");
        }
    }

    async fn other_branches_are_found_unless_left_out(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("pears").await;
        let raw = database.raw().await;
        let inactive = if database.is_postgres() { "FALSE" } else { "0" };
        raw.execute_unprepared(&format!("UPDATE message SET active = {inactive} WHERE role = 'ASSISTANT'")).await.unwrap();
        raw.close().await.unwrap();
        assert_eq!(kinds(&ann, json!({})).await, (1, 1, 1));
        assert_eq!(kinds(&ann, json!({ "activePathOnly": null })).await, (1, 1, 1));
        assert_eq!(kinds(&ann, json!({ "activePathOnly": true })).await, (1, 0, 1));
    }
}
