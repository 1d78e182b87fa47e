//! Conversations persist, in order, and nothing is stored twice.

use serde_json::json;

use crate::support::{TestServer, on_both_databases};

on_both_databases! {
    async fn a_message_and_its_reply_are_there_after_a_restart(database) {
        let server = TestServer::start(&database).await;
        let sent = server.user("ann").send("What is a causerie?", json!({})).await;
        assert_eq!(sent["reply"]["status"], "COMPLETE");
        assert_eq!(sent["conversation"]["title"], "What is a causerie?");
        let conversation = sent["conversation"]["id"].as_str().unwrap();
        server.stop().await;

        let server = TestServer::start(&database).await;
        let messages = server.user("ann").messages(conversation).await;
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0], sent["message"]);
        assert_eq!(messages[1]["content"], sent["reply"]["content"]);
        assert_eq!(messages[1]["parent"]["id"], sent["message"]["id"]);
    }
}
