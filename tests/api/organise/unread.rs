//! What is unread, on all devices.

use serde_json::{Value, json};

use super::{changes, conversation, cursor};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

const MARK: &str = "mutation($id: ID!, $message: ID!) {
  markRead(input: { conversationId: $id, upToMessageId: $message }) { conversation { unreadCount } } }";

async fn mark(client: &Client, id: &str, message: &Value) -> i64 {
    let data = client.data(MARK, json!({ "id": id, "message": message })).await;
    data["markRead"]["conversation"]["unreadCount"].as_i64().unwrap()
}

async fn unread(client: &Client, id: &str) -> i64 {
    conversation(client, id).await["unreadCount"].as_i64().unwrap()
}

async fn send(client: &Client, id: &str, content: &str) -> Value {
    client.send(content, json!({ "conversationId": id })).await
}

async fn on(client: &Client, name: &str, message: &Value, more: &str) -> Value {
    let query = format!(
        "mutation($id: ID!) {{ {name}(input: {{ messageId: $id{more} }}) {{ conversation {{ unreadCount }} }} }}"
    );
    client.data(&query, json!({ "id": message })).await[name]["conversation"]["unreadCount"].take()
}

on_both_databases! {
    async fn a_reply_is_unread_until_a_device_says_otherwise_and_then_on_all(database) {
        let server = TestServer::start(&database).await;
        let other = TestServer::start(&database).await;
        let (phone, desk) = (server.user("ann"), other.user("ann"));
        let id = phone.start("one").await;
        assert_eq!(unread(&desk, &id).await, 1);
        let messages = phone.messages(&id).await;
        let since = cursor(&desk).await;
        assert_eq!(mark(&phone, &id, &messages[1]["id"]).await, 0);
        assert_eq!(unread(&desk, &id).await, 0);
        let (told, since) = changes(&desk, &since).await;
        assert_eq!(told, ["ConversationChanged: one"]);
        assert_eq!(mark(&desk, &id, &messages[1]["id"]).await, 0);
        assert_eq!(mark(&desk, &id, &messages[0]["id"]).await, 0, "a device that is behind takes nothing back");
        assert_eq!(changes(&desk, &since).await.0, Vec::<String>::new(), "nothing has changed by that");

        let second = send(&desk, &id, "two").await;
        assert_eq!(unread(&phone, &id).await, 1, "whoever sends has read what is before");
        send(&desk, &id, "three").await;
        assert_eq!(unread(&phone, &id).await, 1);
        assert_eq!(mark(&phone, &id, &second["reply"]["id"]).await, 1, "a place before does not matter any more");
    }

    async fn only_ones_own_messages_of_that_conversation_count(database) {
        let server = TestServer::start(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let (id, other) = (ann.start("one").await, ann.start("other").await);
        let theirs = bob.start("theirs").await;
        let message = ann.messages(&id).await[1]["id"].take();
        for (conversation, message) in [
            (&other, &message),
            (&theirs, &message),
            (&id, &bob.messages(&theirs).await[1]["id"]),
            (&id, &json!("nothing")),
        ] {
            assert_eq!(ann.code(MARK, json!({ "id": conversation, "message": message })).await, "NOT_FOUND");
        }
        assert_eq!(bob.code(MARK, json!({ "id": id, "message": message })).await, "NOT_FOUND");
        assert_eq!(unread(&ann, &id).await, 1);
    }

    async fn what_leaves_the_path_takes_its_read_part_with_it(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let second = send(&ann, &id, "two").await;
        assert_eq!(mark(&ann, &id, &second["reply"]["id"]).await, 0);
        let first = ann.messages(&id).await;
        assert_eq!(on(&ann, "regenerateReply", &second["reply"]["id"], "").await, 1, "the new version is unread");
        assert_eq!(mark(&ann, &id, &second["reply"]["id"]).await, 1, "the old one is off the path: it says nothing");
        let last = ann.messages(&id).await[3]["id"].clone();
        assert_eq!(mark(&ann, &id, &last).await, 0);
        assert_eq!(on(&ann, "editMessage", &first[0]["id"], ", content: \"uno\"").await, 1, "its own reply alone");
        assert_eq!(on(&ann, "activateMessage", &first[0]["id"], "").await, 0, "whoever moves there looks at it");
        assert_eq!(on(&ann, "deleteMessage", &last, "").await, 0);
        assert_eq!(on(&ann, "deleteMessage", &second["message"]["id"], "").await, 0);
        assert_eq!(conversation(&ann, &id).await["messageCount"], 2);
        send(&ann, &id, "three").await;
        assert_eq!(unread(&ann, &id).await, 1);
        let forked = "mutation($id: ID!) { forkConversation(input: { messageId: $id }) { conversation { unreadCount } } }";
        let forked = ann.data(forked, json!({ "id": first[1]["id"] })).await;
        assert_eq!(forked["forkConversation"]["conversation"]["unreadCount"], 0);
    }

    async fn a_rollback_leaves_the_new_reply_unread(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let sent = ann.send("one", json!({ "awaitReply": false })).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        let _speaking = script.next().await;
        let input = json!({ "conversationId": id, "awaitReply": false });
        let second = ann.send("two", input).await;
        assert_eq!(mark(&ann, id, &second["reply"]["id"]).await, 0);
        let input = json!({ "conversationId": id, "awaitReply": false, "onBusy": "ROLLBACK" });
        let third = ann.send("three", input).await;
        let now = conversation(&ann, id).await;
        assert_eq!((&now["messageCount"], &now["unreadCount"]), (&json!(2), &json!(0)), "it has not ended");
        let attempt = script.next().await;
        attempt.say("three indeed");
        attempt.finish();
        let reply = third["reply"]["id"].as_str().unwrap().parse().unwrap();
        server.replies().wait_for_end("ann", reply).await.unwrap();
        assert_eq!(unread(&ann, id).await, 1);
    }
}
