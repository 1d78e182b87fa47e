//! Many messages at once: every acknowledged one is there once, in one order, followed by its own reply.

use std::collections::{BTreeSet, HashSet};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Client, TestServer, on_both_databases};

on_both_databases! {
    async fn two_hundred_messages_to_one_conversation_are_all_there_in_one_order(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let conversation = ann.start("message 0").await;

        let acknowledged = join_all((1..=200).map(|number| {
            let input = json!({ "conversationId": conversation, "awaitReply": number % 2 == 0 });
            let ann = &ann;
            async move { ann.send(&format!("message {number}"), input).await }
        }))
        .await;

        let messages = wait_for_replies(&ann, &conversation, 402).await;
        assert_is_a_dialogue(&messages);
        let said: BTreeSet<_> = messages.iter().step_by(2).map(|message| text(message, "content")).collect();
        let expected: BTreeSet<_> = (0..=200).map(|number| format!("message {number}")).collect();
        assert_eq!(said, expected.iter().map(String::as_str).collect(), "each message once");
        for sent in &acknowledged {
            let position = usize::try_from(sent["message"]["position"].as_u64().unwrap()).unwrap();
            assert_eq!(messages[position - 1], sent["message"], "what was acknowledged is what is stored");
            assert_eq!(messages[position]["id"], sent["reply"]["id"]);
            assert_eq!(sent["reply"]["parent"]["id"], sent["message"]["id"]);
        }
        for sent in acknowledged.iter().skip(1).step_by(2) {
            assert_eq!(sent["reply"]["status"], "COMPLETE", "whoever waits is answered with the whole reply");
            assert!(text(&sent["reply"], "content").ends_with(text(&sent["message"], "content")));
        }
        let ids: HashSet<_> = messages.iter().map(|message| text(message, "id")).collect();
        assert_eq!(ids.len(), 402);

        // Readers that go about it differently, and one that asks another server, see the same.
        let other = TestServer::start(&database).await;
        let order: Vec<_> = messages.iter().map(|message| text(message, "id").to_owned()).collect();
        assert_eq!(backwards(&ann, &conversation, 100).await, order);
        assert_eq!(backwards(&other.user("ann"), &conversation, 37).await, order);
        assert_eq!(other.user("ann").messages(&conversation).await, messages);
        let rows = "SELECT count(*) FROM message";
        assert_eq!(database.number(rows).await, 402, "nothing lies beside the path");
    }

    async fn a_hundred_conversations_at_once_keep_to_themselves(database) {
        let server = TestServer::start(&database).await;
        // Half of them are of one user, whose writes have to wait for each other.
        let users: Vec<_> = (0..100).map(|number| if number % 2 == 0 { "ann".into() } else { format!("user {number}") }).collect();
        let sent = join_all(users.iter().enumerate().map(|(number, user)| {
            let client = server.user(user);
            async move {
                let first = client.send(&format!("question {number}"), json!({})).await;
                let conversation = text(&first["conversation"], "id").to_owned();
                let input = json!({ "conversationId": conversation });
                client.send(&format!("another {number}"), input).await;
                (client, conversation)
            }
        }))
        .await;

        for (number, (client, conversation)) in sent.iter().enumerate() {
            let messages = client.messages(conversation).await;
            assert_is_a_dialogue(&messages);
            let said: Vec<_> = messages.iter().step_by(2).map(|message| text(message, "content")).collect();
            assert_eq!(said, [format!("question {number}"), format!("another {number}")]);
        }
        let count = "{ conversations(first: 0) { totalCount } }";
        assert_eq!(server.user("ann").data(count, json!({})).await["conversations"]["totalCount"], 50);
        assert_eq!(server.user("user 1").data(count, json!({})).await["conversations"]["totalCount"], 1);
        assert_eq!(database.number("SELECT count(*) FROM conversation").await, 100);
        assert_eq!(database.number("SELECT count(*) FROM message").await, 400);
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

/// Waits until all replies have ended, and returns the messages.
async fn wait_for_replies(client: &Client, conversation: &str, count: usize) -> Vec<Value> {
    loop {
        let messages = client.messages(conversation).await;
        assert_eq!(messages.len(), count);
        if messages.iter().all(|message| message["status"] == "COMPLETE") {
            return messages;
        }
        tokio::task::yield_now().await;
    }
}

/// Positions count from 1, each message's parent is the one before it, and each reply repeats its own message.
#[track_caller]
fn assert_is_a_dialogue(messages: &[Value]) {
    for (index, message) in messages.iter().enumerate() {
        assert_eq!(message["position"], index + 1);
        let parent = index.checked_sub(1).map_or(&Value::Null, |before| &messages[before]["id"]);
        assert_eq!(message["parent"].get("id").unwrap_or(&Value::Null), parent, "at position {}", index + 1);
        let role = if index % 2 == 0 { "USER" } else { "ASSISTANT" };
        assert_eq!(message["role"], role);
        if role == "ASSISTANT" {
            let said = text(&messages[index - 1], "content");
            let reply = text(message, "content");
            assert!(reply.ends_with(&format!("\n{said}")), "{reply:?} is not the reply to {said:?}");
        }
    }
}

/// The ids of all messages, read from the end in pages of `size`, oldest first.
async fn backwards(client: &Client, conversation: &str, size: u32) -> Vec<String> {
    let query = "query($id: ID!, $size: Int!, $before: String) {
      messages(conversationId: $id, last: $size, before: $before) {
        edges { node { id } } pageInfo { hasPreviousPage startCursor }
      }
    }";
    let mut ids = Vec::new();
    let mut before = Value::Null;
    loop {
        let variables = json!({ "id": conversation, "size": size, "before": before });
        let page = client.data(query, variables).await["messages"].take();
        let edges = page["edges"].as_array().unwrap();
        ids.extend(edges.iter().rev().map(|edge| text(&edge["node"], "id").to_owned()));
        if page["pageInfo"]["hasPreviousPage"] == false {
            ids.reverse();
            return ids;
        }
        before = page["pageInfo"]["startCursor"].clone();
    }
}
