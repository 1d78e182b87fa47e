//! What running replies bring comes in the same stream as the changes, from the row on that a change tells of.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    Client, Events, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer, on_both_databases,
};

const LIVE: &str = "subscription($since: String) { changes(since: $since, replyText: true) {
  __typename
  ... on ConversationChanged { cursor conversation { id title } }
  ... on ConversationDeleted { cursor conversationId }
  ... on MessageChanged { cursor message { id role status content progressCursor } }
  ... on MessageDeleted { cursor messageId }
  ... on ReplyProgressed { cursor messageId event {
    __typename
    ... on ReplyText { cursor text }
    ... on ReplyReasoning { cursor text }
    ... on ReplyRestarted { cursor attempt }
    ... on ReplyEnded { cursor message: reply { status } }
  } }
} }";
const REST: &str = "subscription($id: ID!, $after: String) { replyProgress(messageId: $id, after: $after) {
  ... on ReplyText { text } ... on ReplyEnded { message: reply { status } } } }";
const RENAME: &str = "mutation($id: ID!) {
  updateConversation(input: { conversationId: $id, title: \"the next change\" }) { conversation { id } } }";
const DELETE: &str =
    "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
const RETRY: &str =
    "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
const STOP: &str = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";

/// A device that appends what comes.
struct Device {
    events: Events,
    cursor: Value,
    /// The texts of replies, by id.
    texts: BTreeMap<String, String>,
}

impl Device {
    async fn join(client: &Client, since: &Value) -> Self {
        let events = client.subscribe(LIVE, json!({ "since": since })).await;
        Self { events, cursor: since.clone(), texts: BTreeMap::new() }
    }

    /// Takes the next event. Returns it in one word, with the row that it is of.
    async fn take(&mut self) -> (String, String) {
        let event = self.events.next().await.expect("the stream goes on")["changes"].take();
        assert!(event["cursor"].is_string(), "{event}");
        self.cursor = event["cursor"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&event["__typename"]);
        if kind == "MessageChanged" {
            let message = &event["message"];
            self.texts.insert(text(&message["id"]), text(&message["content"]));
            return (
                format!("{} {}", text(&message["role"]), text(&message["status"])),
                text(&message["id"]),
            );
        }
        let id = ["messageId", "conversationId"].iter().find_map(|field| event[*field].as_str());
        let id = id.or(event["conversation"]["id"].as_str()).unwrap().to_owned();
        if kind != "ReplyProgressed" {
            return (kind, id);
        }
        let event = &event["event"];
        match event["__typename"].as_str().unwrap() {
            "ReplyText" => {
                *self.texts.get_mut(&id).expect("it was told of") += event["text"].as_str().unwrap();
            }
            "ReplyRestarted" => self.texts.get_mut(&id).expect("it was told of").clear(),
            _ => {}
        }
        (text(&event["__typename"]), id)
    }

    /// Takes events up to this one.
    async fn until(&mut self, kind: &str, id: &str) -> Vec<String> {
        let mut taken = Vec::new();
        loop {
            let (next, of) = self.take().await;
            let found = next == kind && of == id;
            taken.push(next);
            if found {
                return taken;
            }
        }
    }

    /// Takes events until it has this text.
    async fn until_text(&mut self, id: &str, text: &str) {
        while self.texts.get(id).is_none_or(|known| known != text) {
            self.take().await;
        }
    }
}

async fn cursor(client: &Client) -> Value {
    client.data("{ viewer { changeCursor } }", json!({})).await["viewer"]["changeCursor"].take()
}

async fn server(database: &TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    (TestServer::with(database, Settings { assistant, ..Settings::default() }).await, script)
}

/// A conversation with a running reply: its id, the reply's, and what writes it.
async fn ask(client: &Client, script: &ScriptedAssistant) -> (String, String, ScriptedAttempt) {
    let sent = client.send("hello", json!({ "awaitReply": false })).await;
    let id = |field: &str| sent[field]["id"].as_str().unwrap().to_owned();
    (id("conversation"), id("reply"), script.next().await)
}

on_both_databases! {
    async fn a_reply_comes_word_by_word_and_its_end_once(database) {
        let (one, script) = server(&database).await;
        let (two, _idle) = server(&database).await;
        let ann = one.user("ann");
        let since = cursor(&ann).await;
        let mut devices = [Device::join(&ann, &since).await, Device::join(&two.user("ann"), &since).await];
        let (conversation, reply, writer) = ask(&ann, &script).await;
        for device in &mut devices {
            device.until("ASSISTANT GENERATING", &reply).await;
        }
        let mut whole = String::new();
        for word in ["Good", " morning", ", ", "ann"] {
            writer.say(word);
            whole += word;
            for device in &mut devices {
                device.until_text(&reply, &whole).await;
            }
        }
        writer.finish();
        for device in &mut devices {
            // The end has nothing of the text, and no second event.
            assert_eq!(device.until("ReplyEnded", &reply).await, ["ReplyEnded"]);
        }
        ann.data(RENAME, json!({ "id": conversation })).await;
        for device in &mut devices {
            assert_eq!(device.take().await, ("ConversationChanged".to_owned(), conversation.clone()));
            assert_eq!(device.texts[&reply], whole);
        }
    }

    async fn a_device_that_joins_gets_what_there_is_and_then_the_rest(database) {
        let (one, script) = server(&database).await;
        let (two, _idle) = server(&database).await;
        let ann = one.user("ann");
        let (_, reply, writer) = ask(&ann, &script).await;
        writer.say("So far");
        let since = cursor(&ann).await;
        let mut first = Device::join(&ann, &since).await;
        assert_eq!(first.take().await, ("ASSISTANT GENERATING".to_owned(), reply.clone()));
        assert_eq!(first.cursor, since, "the reply began before");
        first.until_text(&reply, "So far").await;
        writer.say(" and");
        first.until_text(&reply, "So far and").await;

        // With the cursor of a text another device, at another server, goes on without a gap.
        let mut second = Device::join(&two.user("ann"), &first.cursor).await;
        assert_eq!(second.take().await, ("ASSISTANT GENERATING".to_owned(), reply.clone()));
        second.until_text(&reply, "So far and").await;
        writer.say(" on");
        for device in [&mut first, &mut second] {
            device.until_text(&reply, "So far and on").await;
        }

        // The cursors of a message, and of an event within, are those of `replyProgress`.
        let query = "query($id: ID!) { message(id: $id) { content progressCursor } }";
        let message = ann.data(query, json!({ "id": reply })).await["message"].take();
        writer.finish();
        let mut rest = ann.subscribe(REST, json!({ "id": reply, "after": message["progressCursor"] })).await;
        let mut text = message["content"].as_str().unwrap().to_owned();
        while let Some(more) = rest.progress().await["text"].as_str() {
            text += more;
        }
        assert_eq!(text, "So far and on");
        for device in [&mut first, &mut second] {
            device.until("ReplyEnded", &reply).await;
            assert_eq!(device.texts[&reply], "So far and on");
        }
        let mut late = Device::join(&ann, &since).await;
        assert_eq!(late.take().await, ("ASSISTANT COMPLETE".to_owned(), reply.clone()));
        assert_eq!(late.texts[&reply], "So far and on");
    }

    async fn several_replies_come_side_by_side_and_a_deleted_one_no_longer(database) {
        let (server, script) = server(&database).await;
        let ann = server.user("ann");
        let mut device = Device::join(&ann, &Value::Null).await;
        let (doomed, gone, forgotten) = ask(&ann, &script).await;
        let (_, kept, writer) = ask(&ann, &script).await;
        device.until("ASSISTANT GENERATING", &kept).await;
        forgotten.say("never mind");
        writer.say("Both");
        device.until_text(&kept, "Both").await;
        device.until_text(&gone, "never mind").await;
        ann.data(DELETE, json!({ "id": doomed })).await;
        device.until("ConversationDeleted", &doomed).await;
        writer.say(" no more");
        writer.finish();
        let rest = device.until("ReplyEnded", &kept).await;
        assert!(rest.iter().all(|kind| ["ReplyText", "ReplyEnded"].contains(&kind.as_str())), "{rest:?}");
        assert_eq!(device.texts[&kept], "Both no more");
    }

    async fn a_reply_that_is_retried_comes_anew(database) {
        let (server, script) = server(&database).await;
        let ann = server.user("ann");
        let mut device = Device::join(&ann, &Value::Null).await;
        let (_, reply, writer) = ask(&ann, &script).await;
        writer.say("Wrong");
        device.until_text(&reply, "Wrong").await;
        ann.data(STOP, json!({ "id": reply })).await;
        device.until("ReplyEnded", &reply).await;
        ann.data(RETRY, json!({ "id": reply })).await;
        let writer = script.next().await;
        device.until("ASSISTANT GENERATING", &reply).await;
        assert_eq!(device.texts[&reply], "");
        writer.say("Right");
        writer.finish();
        device.until("ReplyEnded", &reply).await;
        assert_eq!(device.texts[&reply], "Right");
    }

    async fn nobody_else_gets_a_word(database) {
        let (server, script) = server(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let (_, secret, hers) = ask(&ann, &script).await;
        hers.say("secret");
        // A cursor is a place in one's own changes: with ann's, bob gets only what is his.
        let mut devices = [Device::join(&bob, &cursor(&ann).await).await, Device::join(&bob, &Value::Null).await];
        let (_, reply, his) = ask(&bob, &script).await;
        bob.send("again", json!({ "awaitReply": false })).await;
        hers.say(" words");
        his.say("mine");
        his.finish();
        script.next().await.finish();
        hers.finish();
        devices[1].until("ReplyEnded", &reply).await;
        bob.data("mutation { createConversation(input: {}) { conversation { id } } }", json!({})).await;
        for device in &mut devices {
            device.take().await;
            assert!(!device.texts.contains_key(&secret));
        }
    }
}
