//! Pins and the archive.

use serde_json::{Value, json};

use super::{changes, conversation, cursor, titles, try_update, update};
use crate::support::{TestServer, on_both_databases};

on_both_databases! {
    async fn a_pin_stays_until_it_is_taken_away(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let before = conversation(&ann, &id).await;
        assert_eq!(before["pinnedAt"], Value::Null);
        let pinned = update(&ann, &id, json!({ "pinned": true })).await;
        assert_ne!(pinned["pinnedAt"], Value::Null);
        assert_eq!(pinned["updatedAt"], before["updatedAt"], "it is no activity");
        assert_eq!(update(&ann, &id, json!({ "pinned": true })).await, pinned);
        assert_eq!(conversation(&ann, &id).await["pinnedAt"], pinned["pinnedAt"]);
        update(&ann, &id, json!({ "pinned": false })).await;
        assert_eq!(conversation(&ann, &id).await, before);
    }

    async fn the_archive_is_left_out_of_lists_and_nothing_else(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        ann.start("two").await;
        let archived = update(&ann, &id, json!({ "archived": true })).await;
        assert_ne!(archived["archivedAt"], Value::Null);
        assert_eq!(titles(&ann, "last: null").await, ["two"]);
        assert_eq!(titles(&ann, "filter: { pinned: false }").await, ["two"]);
        assert_eq!(titles(&ann, "filter: { states: [ARCHIVED] }").await, ["one"]);
        assert_eq!(titles(&ann, "filter: { states: [ACTIVE, ARCHIVED] }").await, ["two", "one"]);
        let counts = "{ all: conversations(filter: { states: [ACTIVE, ARCHIVED] }) { totalCount }
            archive: conversations(filter: { states: [ARCHIVED] }) { totalCount } conversations { totalCount } }";
        let counts = ann.data(counts, json!({})).await;
        let counts = ["all", "archive", "conversations"].map(|list| counts[list]["totalCount"].as_i64().unwrap());
        assert_eq!(counts, [2, 1, 1]);
        ann.send("more", json!({ "conversationId": id })).await;
        let grown = conversation(&ann, &id).await;
        assert_eq!(grown["archivedAt"], archived["archivedAt"], "it goes on where it is");
        assert_eq!(grown["messageCount"], 4);
        update(&ann, &id, json!({ "archived": false })).await;
        assert_eq!(titles(&ann, "filter: {}").await, ["one", "two"]);
    }

    async fn other_devices_learn_of_it_and_other_users_can_do_nothing(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let mut since = cursor(&ann).await;
        for (name, value) in [("pinned", true), ("pinned", false), ("archived", true), ("archived", false)] {
            let input = json!({ name: value });
            update(&ann, &id, input.clone()).await;
            let (told, end) = changes(&ann, &since).await;
            assert_eq!(told, ["ConversationChanged: one"], "{name}");
            since = end;
            assert_eq!(try_update(&server.user("bob"), &id, input.clone()).await.code(), "NOT_FOUND");
            update(&ann, &id, input).await;
        }
        assert_eq!(changes(&ann, &since).await.0, Vec::<String>::new(), "what is already so is no change");
    }
}
