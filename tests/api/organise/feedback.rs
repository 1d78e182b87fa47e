//! Rating replies.

use serde_json::{Value, json};

use super::{changes, cursor};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

const RATE: &str = "mutation($id: ID!, $rating: Rating, $comment: String) {
  rateReply(input: { messageId: $id, rating: $rating, comment: $comment }) { reply { feedback { rating comment } } } }";

async fn rate(client: &Client, id: &Value, rating: Option<&str>, comment: Option<&str>) -> Value {
    let variables = json!({ "id": id, "rating": rating, "comment": comment });
    client.data(RATE, variables).await["rateReply"]["reply"]["feedback"].take()
}

async fn feedback(client: &Client, id: &Value) -> Value {
    let query = "query($id: ID!) { message(id: $id) { feedback { rating comment } } }";
    client.data(query, json!({ "id": id })).await["message"]["feedback"].take()
}

on_both_databases! {
    async fn a_rating_is_readable_until_it_is_taken_back(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.send("hello", json!({})).await["reply"]["id"].take();
        assert_eq!(feedback(&ann, &id).await, Value::Null);
        let since = cursor(&ann).await;
        let up = json!({ "rating": "UP", "comment": "So kind." });
        assert_eq!(rate(&ann, &id, Some("UP"), Some(" So kind.\n")).await, up);
        assert_eq!(feedback(&ann, &id).await, up);
        assert_eq!(changes(&ann, &since).await.0.len(), 1);
        let down = json!({ "rating": "DOWN", "comment": null });
        assert_eq!(rate(&ann, &id, Some("DOWN"), None).await, down, "a new rating replaces all of the old one");
        assert_eq!(rate(&ann, &id, None, None).await, Value::Null);
        assert_eq!(feedback(&ann, &id).await, Value::Null);
    }

    async fn only_ones_own_replies_that_have_ended_are_rated(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let mut sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let (message, reply) = (sent["message"]["id"].take(), sent["reply"]["id"].take());
        let code = async |client: Client, id: &Value, rating: Option<&str>, comment: &str| {
            client.code(RATE, json!({ "id": id, "rating": rating, "comment": comment })).await
        };
        assert_eq!(code(ann.clone(), &reply, Some("UP"), "").await, "INVALID_STATE", "it has not ended");
        let attempt = script.next().await;
        attempt.say("hello");
        attempt.finish();
        server.replies().wait_for_end("ann", reply.as_str().unwrap().parse().unwrap()).await.unwrap();
        assert_eq!(code(ann.clone(), &message, Some("UP"), "").await, "NOT_FOUND");
        assert_eq!(code(server.user("bob"), &reply, Some("UP"), "").await, "NOT_FOUND");
        assert_eq!(code(ann.clone(), &reply, None, "words alone").await, "BAD_USER_INPUT");
        assert_eq!(code(ann.clone(), &reply, Some("UP"), &"é".repeat(2001)).await, "BAD_USER_INPUT");
        assert_eq!(code(ann.clone(), &reply, Some("UP"), "a\0b").await, "BAD_USER_INPUT");
        assert_eq!(feedback(&ann, &reply).await, Value::Null);
        assert_eq!(rate(&ann, &reply, Some("UP"), Some(&"é".repeat(2000))).await["rating"], "UP");
    }

    async fn a_reply_that_is_written_anew_loses_its_rating(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let id = ann.send("hello", json!({ "awaitReply": false })).await["reply"]["id"].take();
        let _silent = script.next().await;
        ann.data("mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { id } } }", json!({ "id": id })).await;
        rate(&ann, &id, Some("DOWN"), Some("It said nothing.")).await;
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
        ann.data(retry, json!({ "id": id })).await;
        assert_eq!(feedback(&ann, &id).await, Value::Null);
    }
}
