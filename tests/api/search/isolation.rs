//! Nobody finds what is somebody else's.

use std::collections::HashMap;

use causerie::search::scope;
use serde_json::json;
use uuid::Uuid;

use super::{count, hits, page, texts};
use crate::support::{TestServer, on_both_databases};

/// Two users whose tokens lie in the same place of the index.
fn namesakes() -> (String, String) {
    let mut users = HashMap::new();
    for number in 0.. {
        let user = format!("user {number}");
        if let Some(other) = users.insert(scope(&user), user.clone()) {
            return (other, user);
        }
    }
    unreachable!("scopes are short");
}

on_both_databases! {
    async fn nobody_finds_anybody_elses(database) {
        let server = TestServer::start(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let id = ann.start("confidential plans").await;
        bob.start("other plans").await;
        assert_eq!(texts(&bob, "plans").await, ["other plans"]);
        let scope = scope("ann");
        for query in ["confidential", "confidential*", "-zzz confidential", &format!("{scope}confidential"), &format!("{scope}*")] {
            assert_eq!(count(&bob, query).await, 0, "{query:?}");
        }
        let other = hits(&bob, "-zzz", json!({})).await;
        assert!(other.iter().all(|hit| hit["conversation"]["title"] == "other plans"));
        assert_eq!(hits(&bob, "plans", json!({ "conversationId": id })).await.len(), 0);
        let missing = Uuid::now_v7().to_string();
        assert_eq!(hits(&bob, "plans", json!({ "conversationId": missing })).await.len(), 0);
    }

    async fn an_owner_is_more_than_a_scope(database) {
        let server = TestServer::start(&database).await;
        let (first, second) = namesakes();
        assert_eq!(scope(&first), scope(&second));
        server.user(&first).start("confidential plans").await;
        server.user(&second).start("other plans").await;
        for query in ["confidential", "conf*", "plans -other", "-other"] {
            assert_eq!(count(&server.user(&second), query).await, 0, "{query:?}");
            let none = page(&server.user(&second), query, json!({ "first": 0 })).await;
            assert_eq!(none["pageInfo"]["hasNextPage"], false, "{query:?}: not even that there is something");
        }
        assert_eq!(count(&server.user(&first), "plans").await, 3);
    }
}
