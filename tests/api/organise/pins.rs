//! Pins and the archive.

use serde_json::{Value, json};

use super::{changes, conversation, cursor, keep, refused, titles};
use crate::support::{TestServer, on_both_databases};

on_both_databases! {
    async fn a_pin_stays_until_it_is_taken_away(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let before = conversation(&ann, &id).await;
        assert_eq!(before["pinnedAt"], Value::Null);
        let pinned = keep(&ann, "pinConversation", &id).await;
        assert_ne!(pinned["pinnedAt"], Value::Null);
        assert_eq!(pinned["updatedAt"], before["updatedAt"], "it is no activity");
        assert_eq!(keep(&ann, "pinConversation", &id).await["pinnedAt"], pinned["pinnedAt"]);
        assert_eq!(conversation(&ann, &id).await, pinned);
        assert_eq!(keep(&ann, "unpinConversation", &id).await, before);
    }

    async fn the_archive_is_left_out_of_lists_and_nothing_else(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        ann.start("two").await;
        let archived = keep(&ann, "archiveConversation", &id).await;
        assert_ne!(archived["archivedAt"], Value::Null);
        assert_eq!(titles(&ann, "last: null").await, ["two"]);
        assert_eq!(titles(&ann, "filter: { pinned: false }").await, ["two"]);
        assert_eq!(titles(&ann, "filter: { archived: true }").await, ["one"]);
        assert_eq!(titles(&ann, "filter: { archived: null }").await, ["two", "one"]);
        let counts = "{ all: conversations(filter: { archived: null }) { totalCount }
            archive: conversations(filter: { archived: true }) { totalCount } conversations { totalCount } }";
        let counts = ann.data(counts, json!({})).await;
        let counts = ["all", "archive", "conversations"].map(|list| counts[list]["totalCount"].as_i64().unwrap());
        assert_eq!(counts, [2, 1, 1]);
        ann.send("more", json!({ "conversationId": id })).await;
        let grown = conversation(&ann, &id).await;
        assert_eq!(grown["archivedAt"], archived["archivedAt"], "it goes on where it is");
        assert_eq!(grown["messageCount"], 4);
        keep(&ann, "unarchiveConversation", &id).await;
        assert_eq!(titles(&ann, "filter: {}").await, ["one", "two"]);
    }

    async fn other_devices_learn_of_it_and_other_users_can_do_nothing(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let mut since = cursor(&ann).await;
        for name in ["pinConversation", "unpinConversation", "archiveConversation", "unarchiveConversation"] {
            keep(&ann, name, &id).await;
            let (told, end) = changes(&ann, &since).await;
            assert_eq!(told, ["ConversationChanged: one"], "{name}");
            since = end;
            assert_eq!(refused(&server.user("bob"), name, &id).await, "NOT_FOUND");
        }
        assert_eq!(changes(&ann, &since).await.0, Vec::<String>::new());
    }
}
