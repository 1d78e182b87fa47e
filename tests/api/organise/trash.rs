//! Deleting, and bringing back.

use serde_json::{Value, json};

use super::{changes, conversation, cursor, delete, keep, refused, titles, try_update, update};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

/// All that a client can see of a conversation, its message and its reply.
async fn seen(client: &Client, id: &str, sent: &Value) -> Value {
    let query = "query($id: ID!, $message: ID!, $reply: ID!) {
      conversation(id: $id) { id }
      conversations { totalCount nodes { id } }
      messages(conversationId: $id) { totalCount nodes { id } }
      node(id: $id) { id }
      message(id: $message) { id }
      messageNode: node(id: $message) { id }
      reply: message(id: $reply) { id siblings { totalCount } }
      search(query: \"ephemeral\") { nodes { conversation { id } } }
    }";
    let variables = json!({ "id": id, "message": sent["message"]["id"], "reply": sent["reply"]["id"] });
    client.data(query, variables).await
}

on_both_databases! {
    async fn what_is_deleted_is_gone_from_everything_and_comes_back_as_it_was(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let nothing = seen(&ann, "none", &json!({ "message": { "id": "none" }, "reply": { "id": "none" } })).await;
        let sent = ann.send("ephemeral", json!({ "idempotencyKey": "once" })).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        update(&ann, id, json!({ "pinned": true })).await;
        let before = (seen(&ann, id, &sent).await, conversation(&ann, id).await, ann.messages(id).await);
        delete(&ann, id).await;

        assert_eq!(seen(&ann, id, &sent).await, nothing);
        assert_eq!(ann.try_send("more", json!({ "conversationId": id })).await.code(), "NOT_FOUND");
        for input in [json!({ "pinned": true }), json!({ "title": "more" }), json!({})] {
            assert_eq!(try_update(&ann, id, input).await.code(), "NOT_FOUND");
        }
        let on_message = [
            "editMessage(input: { messageId: $id, content: \"a\" }) { message { id } }",
            "activateMessage(input: { messageId: $id }) { message { id } }",
            "deleteMessage(input: { messageId: $id }) { deletedMessageId }",
            "forkConversation(input: { messageId: $id }) { conversation { id } }",
            "updateMessageMetadata(input: { messageId: $id, metadata: {} }) { message { id } }",
        ];
        let on_reply = [
            "stopReply(input: { messageId: $id }) { reply { id } }",
            "retryReply(input: { messageId: $id }) { reply { id } }",
            "regenerateReply(input: { messageId: $id }) { reply { id } }",
            "rateReply(input: { messageId: $id, rating: UP }) { reply { id } }",
        ];
        for (message, mutations) in [("message", &on_message[..]), ("reply", &on_reply[..])] {
            for mutation in mutations {
                let query = format!("mutation($id: ID!) {{ {mutation} }}");
                assert_eq!(ann.code(&query, json!({ "id": sent[message]["id"] })).await, "NOT_FOUND", "{mutation}");
            }
        }
        let again = ann.try_send("ephemeral", json!({ "idempotencyKey": "once" })).await;
        assert_eq!(again.code(), "NOT_FOUND", "a retry does not bring it back");
        let other = ann.try_send("other", json!({ "idempotencyKey": "once" })).await;
        assert_eq!(other.code(), "IDEMPOTENCY_MISMATCH", "the key still means what it meant");

        keep(&ann, "restoreConversation", id).await;
        let after = (seen(&ann, id, &sent).await, conversation(&ann, id).await, ann.messages(id).await);
        assert_eq!(after, before);
        let again = ann.send("ephemeral", json!({ "idempotencyKey": "once" })).await;
        assert_eq!(again["reply"]["id"], sent["reply"]["id"]);
        assert_eq!(keep(&ann, "restoreConversation", id).await, before.1, "what is there stays as it is");
    }

    async fn the_trash_can_be_listed_and_shows_no_messages(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (one, two) = (ann.start("one").await, ann.start("two").await);
        ann.start("three").await;
        update(&ann, &two, json!({ "archived": true })).await;
        delete(&ann, &one).await;
        delete(&ann, &two).await;
        assert_eq!(titles(&ann, "filter: { states: [TRASHED] }").await, ["two", "one"]);
        assert_eq!(titles(&ann, "filter: { states: [TRASHED, ACTIVE] }").await, ["three", "two", "one"]);
        assert_eq!(titles(&ann, "filter: { states: [ARCHIVED] }").await, Vec::<String>::new());
        let query = "{ conversations(filter: { states: TRASHED }, orderBy: TITLE_ASC) { totalCount nodes {
            id state deletedAt messageCount lastMessage { id } messages { totalCount nodes { id } } } } }";
        let mut trash = ann.data(query, json!({})).await["conversations"].take();
        assert_eq!(trash["totalCount"], 2);
        let row = trash["nodes"][0].take();
        assert_eq!((row["id"].as_str(), &row["messageCount"]), (Some(one.as_str()), &json!(2)));
        assert!(row["deletedAt"].is_string() && row["state"] == "TRASHED");
        assert_eq!(row["lastMessage"], Value::Null);
        assert_eq!(row["messages"], json!({ "totalCount": 0, "nodes": [] }));
        assert_eq!(server.user("bob").data(query, json!({})).await["conversations"]["totalCount"], 0);
        assert_eq!(refused(&server.user("bob"), "restoreConversation", &one).await, "NOT_FOUND");
        assert_eq!(refused(&ann, "restoreConversation", "nothing").await, "NOT_FOUND");
    }

    async fn devices_learn_of_it_even_those_that_were_away(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let since = cursor(&ann).await;
        ann.send("unseen", json!({ "conversationId": id })).await;
        delete(&ann, &id).await;
        let (told, deleted) = changes(&ann, &since).await;
        assert_eq!(told, ["ConversationDeleted: "], "its messages are no news any more");
        keep(&ann, "restoreConversation", &id).await;
        let (told, restored) = changes(&ann, &deleted).await;
        assert_eq!(told, ["ConversationRestored: one"], "all its messages are to be read anew");
        let (told, _) = changes(&ann, &since).await;
        assert_eq!(told.last().unwrap(), "ConversationRestored: one");
        super::rename(&ann, &id, "uno").await;
        assert_eq!(changes(&ann, &restored).await.0, ["ConversationChanged: uno"]);
        assert_eq!(changes(&ann, &deleted).await.0, ["ConversationRestored: uno", "ConversationChanged: uno"]);
    }

    async fn deleting_stops_what_runs_and_what_waits_and_both_stay_stopped(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let sent = ann.send("one", json!({ "awaitReply": false })).await;
        let id = sent["conversation"]["id"].as_str().unwrap();
        let attempt = script.next().await;
        attempt.say("half");
        let waiting = {
            let (ann, id) = (ann.clone(), id.to_owned());
            tokio::spawn(async move { ann.try_send("two", json!({ "conversationId": id })).await })
        };
        while conversation(&ann, id).await["messageCount"] == 2 {}
        let asked = ann.data("query($id: ID!) { message(id: $id) { id } }", json!({ "id": sent["reply"]["id"] }));
        assert!(asked.await["message"].is_object());
        delete(&ann, id).await;
        attempt.dropped().await;
        assert_eq!(waiting.await.unwrap().code(), "NOT_FOUND", "whoever waits for a reply there learns of it");
        while database.number("SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')").await > 0 {}
        keep(&ann, "restoreConversation", id).await;
        let messages = ann.messages(id).await;
        let statuses: Vec<_> = messages.iter().map(|message| message["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["COMPLETE", "STOPPED", "COMPLETE", "STOPPED"]);
        assert_eq!(messages[1]["content"], "half");
    }

    async fn all_go_at_once_and_each_comes_back_alone(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let running = ann.send("one", json!({ "awaitReply": false })).await["conversation"]["id"].take();
        let attempt = script.next().await;
        let theirs = bob.send("theirs", json!({ "awaitReply": false })).await["reply"]["id"].take();
        let other = script.next().await;
        let create = "mutation { createConversation(input: { title: \"two\" }) { conversation { id } } }";
        let id = ann.data(create, json!({})).await["createConversation"]["conversation"]["id"].take();
        update(&ann, id.as_str().unwrap(), json!({ "archived": true })).await;
        let since = cursor(&ann).await;
        let all = "mutation { deleteAllConversations { deletedCount } }";
        assert_eq!(ann.data(all, json!({})).await["deleteAllConversations"]["deletedCount"], 2);
        attempt.dropped().await;
        assert_eq!(titles(&ann, "filter: { states: [ACTIVE, ARCHIVED] }").await, Vec::<String>::new());
        assert_eq!(changes(&ann, &since).await.0, ["ConversationDeleted: ", "ConversationDeleted: "]);
        assert_eq!(ann.data(all, json!({})).await["deleteAllConversations"]["deletedCount"], 0);
        keep(&ann, "restoreConversation", running.as_str().unwrap()).await;
        assert_eq!(titles(&ann, "filter: { states: [ACTIVE, ARCHIVED] }").await, ["one"]);
        other.say("theirs goes on");
        other.finish();
        let ended = server.replies().wait_for_end("bob", theirs.as_str().unwrap().parse().unwrap()).await.unwrap();
        assert_eq!(ended.content, "theirs goes on");
    }
}
