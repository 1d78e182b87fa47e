//! A server reads the row of a reply once for all who follow it there, however they do.

use std::time::{Duration, Instant};

use causerie::memory::Memory;
use causerie::reply::ProgressEvent;
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};

use crate::support::{
    Client, Events, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases,
};

const FEED: &str = "subscription($since: String) { changes(since: $since, replyText: true) {
  ... on MessageChanged { message { id role content } }
  ... on ReplyProgressed { messageId event { ... on ReplyText { text } ... on ReplyEnded { reply { status } } } } } }";
const PROGRESS: &str = "subscription($id: ID!) { replyProgress(messageId: $id) {
  ... on ReplyText { text } ... on ReplyEnded { reply { status } } } }";
const REQUEST: &str = "subscription { sendMessage(input: { content: \"hello\", idempotencyKey: \"k\" }) {
  ... on ReplyText { text } ... on ReplyEnded { reply { status } } } }";

/// How many follow the reply in each of the three ways.
const READERS: usize = 4;

const WORDS: usize = 10;

async fn server(database: &TestDatabase) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    (TestServer::with(database, Settings { assistant, ..Settings::default() }).await, script)
}

struct Reader {
    events: Events,
    reply: Value,
    text: String,
    has_ended: bool,
}

impl Reader {
    async fn join(client: &Client, query: &str, variables: Value, reply: &Value) -> Self {
        let events = client.subscribe(query, variables).await;
        Self { events, reply: reply.clone(), text: String::new(), has_ended: false }
    }

    /// Takes the next event, of whichever subscription.
    async fn take(&mut self) {
        let mut data = self.events.next().await.expect("the stream goes on");
        let event = data.as_object_mut().unwrap().values_mut().next().unwrap().take();
        if event["message"]["id"] == self.reply {
            event["message"]["content"].as_str().unwrap().clone_into(&mut self.text);
        }
        let event = if event["messageId"] == self.reply { &event["event"] } else { &event };
        self.text += event["text"].as_str().unwrap_or_default();
        self.has_ended |= !event["reply"].is_null();
    }

    async fn until(&mut self, text: &str) {
        while self.text != text {
            assert!(text.starts_with(&self.text), "{} of {text}", self.text);
            self.take().await;
        }
    }
}

/// Waits until the database has this text.
async fn stored(client: &Client, id: &Value, text: &str) {
    let query = "query($id: ID!) { message(id: $id) { content } }";
    while client.data(query, json!({ "id": id })).await["message"]["content"] != text {}
}

on_both_databases! {
    async fn one_read_of_the_row_is_for_all_who_follow_the_reply(database) {
        let ((one, script), (two, _idle)) = (server(&database).await, server(&database).await);
        let ann = one.user("ann");
        let sent = ann.send("hello", json!({ "awaitReply": false, "idempotencyKey": "k" })).await;
        let id = &sent["reply"]["id"];
        let attempt = script.next().await;
        attempt.say("So far");
        let mut readers = Vec::new();
        for _ in 0..READERS {
            for (query, variables) in [(FEED, json!({})), (PROGRESS, json!({ "id": id })), (REQUEST, json!({}))] {
                readers.push(Reader::join(&ann.at(two.url()), query, variables, id).await);
            }
        }
        let mut whole = "So far".to_owned();
        for reader in &mut readers {
            reader.until(&whole).await;
        }
        two.take_all_statements();
        let began = Instant::now();
        for word in 0..WORDS {
            let more = format!(" word {word}");
            attempt.say(&more);
            whole += &more;
            for reader in &mut readers {
                reader.until(&whole).await;
            }
        }
        let reads = two.take_all_statements().iter().filter(|statement| statement.sql.contains("text_bytes")).count();
        // One for each signal, and as many by the clock as there were checkpoints.
        let intervals = began.elapsed().as_millis() / Duration::from_millis(50).as_millis();
        let most = 2 * WORDS + usize::try_from(intervals).unwrap();
        assert!((WORDS..=most).contains(&reads), "{reads} reads of {WORDS} words, and not at most {most}");
        attempt.finish();
        for reader in &mut readers {
            while !reader.has_ended {
                reader.take().await;
            }
            assert_eq!(reader.text, whole);
        }
        // Nobody follows it any more, so that nothing is read.
        drop(readers);
        two.take_all_statements();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let after = two.take_all_statements();
        assert!(!after.iter().any(|statement| statement.sql.contains("text_bytes")), "{after:?}");
    }

    async fn a_reader_that_does_not_read_delays_no_other(database) {
        let ((one, script), (two, _idle)) = (server(&database).await, server(&database).await);
        let ann = one.user("ann");
        let sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let id = &sent["reply"]["id"];
        let attempt = script.next().await;
        let reply = id.as_str().unwrap().parse().unwrap();
        let memory = Memory::new(1 << 24);
        let mut stuck: Vec<_> =
            (0..3).map(|_| two.replies().progress("ann", reply, None, memory.budget("ann", 1 << 20))).collect();
        // One has only begun to read, one is before the text, and one waits for more of it.
        let _ = stuck[0].next().now_or_never();
        stuck[1].next().await.unwrap().unwrap();
        attempt.say("One");
        for _ in 0..2 {
            stuck[2].next().await.unwrap().unwrap();
        }
        assert!(stuck[2].next().now_or_never().is_none());
        // What grows is not read while nobody asks, but for the one time that somebody waits for.
        two.take_all_statements();
        let mut whole = "One".to_owned();
        for _ in 0..4 {
            attempt.say(" more");
            whole += " more";
            stored(&ann, id, &whole).await;
        }
        let reads = two.take_all_statements();
        assert!(reads.iter().filter(|statement| statement.sql.contains("text_bytes")).count() <= 1, "{reads:?}");
        let mut reader = Reader::join(&ann.at(two.url()), PROGRESS, json!({ "id": id }), id).await;
        for _ in 0..3 {
            reader.until(&whole).await;
            attempt.say(" more");
            whole += " more";
        }
        attempt.finish();
        while !reader.has_ended {
            reader.take().await;
        }
        for events in &mut stuck {
            while !matches!(events.next().await.unwrap().unwrap().0, ProgressEvent::Ended(_)) {}
        }
    }

    async fn another_users_reader_of_the_same_id_shares_nothing(database) {
        let ((one, script), (two, _idle)) = (server(&database).await, server(&database).await);
        let ann = one.user("ann");
        let sent = ann.send("hello", json!({ "awaitReply": false })).await;
        let id = &sent["reply"]["id"];
        let attempt = script.next().await;
        attempt.say("secret");
        let mut reader = Reader::join(&ann.at(two.url()), PROGRESS, json!({ "id": id }), id).await;
        reader.until("secret").await;
        let reply = id.as_str().unwrap().parse().unwrap();
        let budget = Memory::new(1 << 24).budget("bob", 1 << 20);
        let mut events = two.replies().progress("bob", reply, None, budget);
        let next = events.next().await;
        assert!(matches!(next, Some(Err(causerie::error::Error::NotFound(_)))), "{next:?}");
        attempt.say(" words");
        reader.until("secret words").await;
    }
}
