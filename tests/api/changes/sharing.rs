//! A server reads the row of a reply once for all who follow it there, however they do.

use std::time::{Duration, Instant};

use causerie::memory::Memory;
use causerie::reply::{ProgressEvent, ReplyEvents, ReplyPosition};
use futures_util::{FutureExt, StreamExt};
use sea_orm::{Statement, Value as Bound};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

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

/// The reads of a reply's row that these have made.
fn row_reads(statements: Vec<Statement>) -> Vec<Statement> {
    statements.into_iter().filter(|statement| statement.sql.contains("text_bytes")).collect()
}

/// Waits for the next event, which is to come well before the clock would have the row read.
async fn next(events: &mut ReplyEvents) -> ProgressEvent {
    let next = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
    next.expect("it does not wait for the clock").unwrap().unwrap().0
}

/// Takes the last text of a reply, and its end, which was read with it.
async fn ends(events: &mut ReplyEvents, text: &str, server: &TestServer) {
    let last = next(events).await;
    assert!(matches!(&last, ProgressEvent::Text(last) if last == text), "{last:?}");
    server.take_all_statements();
    let end = next(events).await;
    assert!(matches!(&end, ProgressEvent::Ended(row) if row.content == text), "{end:?}");
    let reads = row_reads(server.take_all_statements());
    assert!(reads.is_empty(), "it has waited for another read: {reads:?}");
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
        let reads = row_reads(two.take_all_statements()).len();
        // One for each signal, and as many by the clock as there were checkpoints. On PostgreSQL words come by themselves.
        let intervals = began.elapsed().as_millis() / Duration::from_millis(50).as_millis();
        let most = 2 * WORDS + usize::try_from(intervals).unwrap();
        let expected = if database.is_postgres() { 0..=WORDS } else { WORDS..=most };
        assert!(expected.contains(&reads), "{reads} reads of {WORDS} words, and not {expected:?}");
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
        let after = row_reads(two.take_all_statements());
        assert!(after.is_empty(), "{after:?}");
    }

    async fn many_feeds_are_told_of_an_end_with_what_is_read_for_it(database) {
        let (server, script) = server(&database).await;
        let ann = server.user("ann");
        let query = "subscription { changes(replyText: true) { ... on ReplyProgressed { event {
          ... on ReplyText { text }
          ... on ReplyEnded { reply { status conversation { unreadCount } siblings { totalCount } } } } } } }";
        // More than the reads that a user may have under way at once.
        let mut feeds = Vec::new();
        for _ in 0..8 {
            feeds.push(ann.subscribe(query, Value::Null).await);
        }
        let send = r#"mutation { sendMessage(input: { content: "hello", awaitReply: false }) { reply { id } } }"#;
        for number in 0..5 {
            ann.data(send, Value::Null).await;
            let attempt = script.next().await;
            let text = format!("reply {number}");
            attempt.say(&text);
            for feed in &mut feeds {
                while feed.next().await.expect("it goes on")["changes"]["event"]["text"] != *text {}
            }
            let begun = Instant::now();
            attempt.finish();
            for feed in &mut feeds {
                while feed.next().await.expect("it goes on")["changes"]["event"]["reply"]["status"] != "COMPLETE" {}
            }
            assert!(begun.elapsed() < Duration::from_secs(4), "reads have waited for each other: {:?}", begun.elapsed());
        }
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
        let reads = row_reads(two.take_all_statements());
        assert!(reads.len() <= 1, "{reads:?}");
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

    async fn the_end_follows_the_last_text_at_once_if_both_were_stored_together(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let mut settings = Settings { assistant, ..Settings::default() };
        // Nothing is stored before the end.
        settings.replies.lease = Duration::from_mins(10);
        settings.replies.checkpoint = Duration::from_mins(1);
        let (one, (two, _idle)) = (TestServer::with(&database, settings).await, server(&database).await);
        let sent = one.user("ann").send("hello", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        let (id, memory) = (sent["reply"]["id"].as_str().unwrap().parse().unwrap(), Memory::new(1 << 24));
        let mut events = two.replies().progress("ann", id, None, memory.budget("ann", 1 << 20));
        assert!(matches!(next(&mut events).await, ProgressEvent::Started));
        assert!(events.next().now_or_never().is_none());
        attempt.say("All");
        attempt.finish();
        ends(&mut events, "All", &two).await;
    }

    async fn who_opens_a_reply_that_has_ended_waits_for_nothing(database) {
        let (one, script) = server(&database).await;
        let mut settings = Settings::default();
        settings.replies.checkpoint = Duration::from_hours(1);
        let two = TestServer::with(&database, settings).await;
        let sent = one.user("ann").send("hello", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        attempt.say("All");
        attempt.finish();
        database.becomes("SELECT count(*) FROM message WHERE role = 'ASSISTANT' AND status = 'COMPLETE'", 1).await;
        let (id, memory) = (sent["reply"]["id"].as_str().unwrap().parse().unwrap(), Memory::new(1 << 24));
        // The second while the first is still there.
        let progress = || two.replies().progress("ann", id, None, memory.budget("ann", 1 << 20));
        for events in &mut [progress(), progress()] {
            assert!(matches!(next(events).await, ProgressEvent::Started));
            ends(events, "All", &two).await;
        }
    }

    async fn a_reader_that_has_more_than_the_row_disturbs_no_other(database) {
        let ((one, script), (two, _idle)) = (server(&database).await, server(&database).await);
        let sent = one.user("ann").send("hello", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        let (id, memory) = (sent["reply"]["id"].as_str().unwrap().parse().unwrap(), Memory::new(1 << 24));
        let progress = |after| two.replies().progress("ann", id, after, memory.budget("ann", 1 << 20));
        let (ahead, chunk) = (1_i32 << 20, 64_i32 * 1024);
        let position = ReplyPosition { attempt: 1, text: 1 << 20, reasoning: 0, calls: 0 };
        let waiting: Vec<_> = (0..READERS)
            .map(|_| {
                let mut events = progress(Some(position));
                AbortOnDropHandle::new(tokio::spawn(async move { events.next().await }))
            })
            .collect();
        two.has_run(&["text_bytes"; READERS]).await;
        let mut events = progress(None);
        assert!(matches!(next(&mut events).await, ProgressEvent::Started));
        two.take_all_statements();
        for _ in 0..2 * WORDS {
            attempt.say("word ");
            let word = next(&mut events).await;
            assert!(matches!(&word, ProgressEvent::Text(word) if word == "word "), "{word:?}");
        }
        // Who reads the row alone asks for a whole chunk.
        let alone: Vec<_> = row_reads(two.take_all_statements())
            .into_iter()
            .filter(|read| {
                let values = &read.values.as_ref().unwrap().0;
                values[3] != Bound::from(ahead) && values[5] == Bound::from(chunk)
            })
            .collect();
        assert!(alone.is_empty(), "{alone:?}");
        assert!(!waiting.iter().any(AbortOnDropHandle::is_finished));
    }
}
