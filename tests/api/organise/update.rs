//! Changing conversations in one request, and not over somebody else's change.

use serde_json::{Value, json};

use super::{changes, conversation, cursor, try_update, update};
use crate::support::{TestServer, on_both_databases};

on_both_databases! {
    async fn what_is_given_changes_and_what_is_left_out_stays(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let all = json!({ "title": " Mine ", "pinned": true, "archived": true, "metadata": { "folder": "x" } });
        let since = cursor(&ann).await;
        let changed = update(&ann, &id, all).await;
        assert_eq!((&changed["title"], &changed["metadata"]), (&json!("Mine"), &json!({ "folder": "x" })));
        assert!(changed["pinnedAt"].is_string() && changed["archivedAt"].is_string());
        assert_eq!(changes(&ann, &since).await.0, ["ConversationChanged: Mine"], "one change for all of it");
        for nothing in [json!({}), json!({ "title": null, "pinned": null, "archived": null, "metadata": null })] {
            assert_eq!(update(&ann, &id, nothing).await, changed);
        }
        let mut expected = changed.clone();
        expected["pinnedAt"] = Value::Null;
        let mut unpinned = update(&ann, &id, json!({ "pinned": false })).await;
        assert_ne!(unpinned["revision"].take(), expected["revision"].take());
        assert_eq!(unpinned, expected);
        let bad = try_update(&ann, &id, json!({ "pinned": true, "title": " " })).await;
        assert_eq!(bad.code(), "BAD_USER_INPUT");
        assert_eq!(conversation(&ann, &id).await["pinnedAt"], Value::Null, "all of it or nothing");
    }

    async fn a_change_on_an_outdated_revision_is_a_conflict(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let revision = update(&ann, &id, json!({})).await["revision"].take();
        let on = |revision: &Value, title: &str| json!({ "title": title, "ifRevision": revision });
        let first = update(&ann, &id, on(&revision, "phone")).await;
        assert_ne!(first["revision"], revision);
        assert_eq!(try_update(&ann, &id, on(&revision, "desk")).await.code(), "CONFLICT");
        assert_eq!(conversation(&ann, &id).await["title"], "phone");
        assert_eq!(update(&ann, &id, on(&first["revision"], "desk")).await["title"], "desk");
        let seen = update(&ann, &id, json!({})).await["revision"].take();
        ann.send("more", json!({ "conversationId": id })).await;
        assert_eq!(try_update(&ann, &id, on(&seen, "late")).await.code(), "CONFLICT", "another message is a change");
        assert_eq!(try_update(&ann, &id, on(&json!("nonsense"), "late")).await.code(), "BAD_USER_INPUT");
    }

    async fn of_simultaneous_changes_on_one_revision_one_is_made(database) {
        let server = TestServer::start(&database).await;
        let other = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let revision = update(&ann, &id, json!({})).await["revision"].take();
        let race = (0..8).map(|number| {
            let client = if number % 2 == 0 { server.user("ann") } else { other.user("ann") };
            let input = json!({ "metadata": { number.to_string(): true }, "ifRevision": revision });
            let id = id.clone();
            async move { try_update(&client, &id, input).await.body.get("errors").is_none() }
        });
        let won = futures_util::future::join_all(race).await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1);
        assert_eq!(conversation(&ann, &id).await["metadata"].as_object().unwrap().len(), 1);
    }
}
