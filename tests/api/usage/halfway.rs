//! What is half done when something else happens: nothing stays reserved, and what was asked of a model is charged.

use serde_json::{Value, json};

use super::{
    ask, catalog, check_sums, days, ended, entries, finish, price, server, server_with_titles, used,
};
use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases};

const DELETE: &str =
    "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";

async fn delete(client: &Client, sent: &Value) {
    client.data(DELETE, json!({ "id": sent["conversation"]["id"] })).await;
}

/// A server that takes messages, and leaves their replies to others.
async fn without_replies(database: &TestDatabase) -> TestServer {
    let (assistant, _) = ScriptedAssistant::new();
    let catalog = Some(catalog(assistant, price(), &[]));
    let mut settings = Settings { catalog, ..Settings::default() };
    settings.replies.replies = 0;
    TestServer::with(database, settings).await
}

on_both_databases! {
    async fn a_title_that_is_cut_by_the_stop_of_its_server_is_charged(database) {
        let (server, script, titles) = server_with_titles(&database).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, used(10, 0, 1));
        ended(&ann, &sent).await;
        let title = titles.next().await;
        title.say("A gree");
        server.stop().await;
        title.dropped().await;
        let entries = entries(&database).await;
        assert_eq!(entries.len(), 2, "{entries:?}");
        assert!(entries[1].starts_with("TITLE settled estimated "), "{entries:?}");
        assert_eq!(database.number("SELECT count(*) FROM conversation WHERE title = 'A gree'").await, 0);
        check_sums(&database).await;
    }

    async fn a_queued_reply_of_a_deleted_conversation_leaves_nothing(database) {
        let server = without_replies(&database).await;
        let ann = server.user("ann");
        let one = ask(&ann, "one", json!({})).await;
        let other = ask(&ann, "other", json!({})).await;
        ask(&ann, "again", json!({ "conversationId": one["conversation"]["id"] })).await;
        assert_eq!(entries(&database).await.len(), 3);
        delete(&ann, &one).await;
        assert_eq!(entries(&database).await, ["REPLY open 6/0/0 ? of 1030 10246000"]);
        check_sums(&database).await;
        ann.data("mutation { deleteAllConversations(input: {}) { deletedCount } }", json!({})).await;
        assert_eq!(days(&database).await, ["0: 0/0/0 0 reserved 0: 0 0"]);
        // In the trash it is not begun either, and once it is back it counts as any other.
        let restore = "mutation($id: ID!) { restoreConversation(input: { conversationId: $id }) { conversation { id } } }";
        ann.data(restore, json!({ "id": other["conversation"]["id"] })).await;
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { status } } }";
        ann.data(retry, json!({ "id": other["reply"]["id"] })).await;
        assert_eq!(days(&database).await[0].split("reserved ").nth(1), Some("1: 1029 10245000"));
        check_sums(&database).await;
    }

    async fn a_copy_is_charged_for_nothing_and_outlives_what_it_was_copied_from(database) {
        let (server, script, _) = server(&database, &[]).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, used(10, 0, 1));
        ended(&ann, &sent).await;
        let fork = "mutation($id: ID!) { forkConversation(input: { messageId: $id }) { conversation { id
            lastMessage { usage { inputTokens cost } } } } }";
        let copy = ann.data(fork, json!({ "id": sent["reply"]["id"] })).await["forkConversation"]["conversation"].take();
        assert_eq!(copy["lastMessage"]["usage"], json!({ "inputTokens": 10, "cost": "0.00002" }));
        assert_eq!(entries(&database).await.len(), 1);
        let running = ask(&ann, "more", json!({ "conversationId": sent["conversation"]["id"] })).await;
        let attempt = script.next().await;
        delete(&ann, &sent).await;
        attempt.dropped().await;
        database.becomes("SELECT count(*) FROM usage_entry WHERE NOT settled", 0).await;
        assert_ne!(running["reply"]["id"], Value::Null);
        // What the copied reply has used is expected of the next one.
        ask(&ann, "more", json!({ "conversationId": copy["id"] })).await;
        assert_eq!(entries(&database).await[2], "REPLY open 16/0/0 ? of 1040 10256000");
        check_sums(&database).await;
    }

    async fn a_reply_that_is_begun_by_another_server_keeps_what_is_reserved_for_it(database) {
        let first = without_replies(&database).await;
        let ann = first.user("ann");
        let sent = ask(&ann, "sixteen letters!", json!({})).await;
        assert_eq!(entries(&database).await, ["REPLY open 9/0/0 ? of 1033 10249000"]);
        let (second, script, _) = server(&database, &[]).await;
        let attempt = script.next().await;
        assert_eq!(entries(&database).await, ["REPLY open 9/0/0 ? of 1033 10249000"]);
        finish(&attempt, used(12, 0, 3));
        ended(&second.user("ann"), &sent).await;
        assert_eq!(entries(&database).await, ["REPLY settled 12/0/3 42000 of 1033 10249000"]);
        assert_eq!(days(&database).await, ["1: 12/0/3 42000 reserved 0: 0 0"]);
        check_sums(&database).await;
    }
}
