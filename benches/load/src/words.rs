//! How late the words of replies are at their readers.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::Outcome;
use crate::client::{Connection, Events, now, percentile};
use crate::provider;

const EVENTS: &str = "__typename ... on ReplyText { text } ... on ReplyEnded { reply { status } }";

/// The time over which the replies are requested.
const RAMP: Duration = Duration::from_secs(2);

/// What is read, and where.
pub struct Script {
    /// The server that writes.
    pub url: String,
    /// The server to read at, if another one.
    pub read_url: Option<String>,
    /// The words of a reply.
    pub words: usize,
    /// How many of them there are a second.
    pub rate: u32,
}

/// What came late, in microseconds.
#[derive(Default)]
struct Tally {
    first: Vec<u64>,
    words: Vec<u64>,
    ends: Vec<u64>,
    events: u64,
    failures: Vec<String>,
}

/// Has `replies` replies written at once, each to another user, and reads them.
pub async fn words(script: Script, port: u16, tokens: &[String], replies: usize) -> Outcome<Value> {
    if replies > tokens.len() {
        return Err("there are fewer tokens than replies".into());
    }
    provider::start(port).await?;
    let (tally, script) = (Rc::new(RefCell::new(Tally::default())), Rc::new(script));
    let tasks = LocalSet::new();
    let begun = Instant::now();
    for (number, token) in tokens.iter().take(replies).enumerate() {
        let (tally, script, token) = (tally.clone(), script.clone(), token.clone());
        tasks.spawn_local(async move {
            sleep(RAMP.mul_f64(number as f64 / replies as f64)).await;
            if let Err(error) = follow(&script, &token, number, &tally).await {
                tally.borrow_mut().failures.push(error.to_string());
            }
        });
    }
    tasks.await;
    let taken = begun.elapsed().as_secs_f64();
    let Tally { mut first, mut words, mut ends, events, failures } = tally.take();
    let lost = replies * script.words - words.len();
    let percentiles = |values: &mut Vec<u64>| {
        values.sort_unstable();
        json!({ "p50": percentile(values, 50), "p99": percentile(values, 99), "max": percentile(values, 100) })
    };
    Ok(json!({
        "seconds": taken,
        "words": words.len(),
        "lost": lost,
        "events": events,
        "word": percentiles(&mut words),
        "first": percentiles(&mut first),
        "end": percentiles(&mut ends),
        "failed": failures.len(),
        "sample": failures.first(),
    }))
}

/// Has a reply written, and reads it to its end.
async fn follow(script: &Script, token: &str, number: usize, tally: &RefCell<Tally>) -> Outcome<()> {
    let content = format!("{} {}", script.words, script.rate);
    let mut connection = Connection::open(&script.url).await?;
    let key = format!("{}-{number}", now());
    let begun = now();
    let (field, mut events) = match &script.read_url {
        None => {
            let query = format!(
                "subscription($input: SendMessageInput!) {{ sendMessage(input: $input) {{ {EVENTS} }} }}"
            );
            let input = json!({ "content": content, "idempotencyKey": key });
            let document = json!({ "query": query, "variables": { "input": input } });
            ("sendMessage", connection.subscribe(token, &document).await?)
        }
        Some(url) => {
            let query = "mutation($input: SendMessageInput!) { sendMessage(input: $input) { reply { id } } }";
            let input = json!({ "content": content, "idempotencyKey": key, "awaitReply": false });
            let document = json!({ "query": query, "variables": { "input": input } });
            let answer = connection.ask(token, &document).await?;
            let id = &answer["data"]["sendMessage"]["reply"]["id"];
            let query = format!("subscription($id: ID!) {{ replyProgress(messageId: $id) {{ {EVENTS} }} }}");
            let document = json!({ "query": query, "variables": { "id": id } });
            connection = Connection::open(url).await?;
            ("replyProgress", connection.subscribe(token, &document).await?)
        }
    };
    read(field, &mut events, begun, tally).await
}

async fn read(field: &str, events: &mut Events, begun: u64, tally: &RefCell<Tally>) -> Outcome<()> {
    let (mut last, mut first) = (0, true);
    while let Some(mut event) = events.next().await? {
        let came = now();
        if let Some(errors) = event.get("errors") {
            return Err(errors.to_string().into());
        }
        let event = event["data"][field].take();
        let mut tally = tally.borrow_mut();
        tally.events += 1;
        match event["__typename"].as_str() {
            Some("ReplyText") => {
                if std::mem::take(&mut first) {
                    tally.first.push(came - begun);
                }
                for word in event["text"].as_str().unwrap_or_default().split_ascii_whitespace() {
                    last = u64::from_str_radix(word, 16)?;
                    tally.words.push(came.saturating_sub(last));
                }
            }
            Some("ReplyRestarted") => return Err("a reply was restarted".into()),
            Some("ReplyEnded") if event["reply"]["status"] == "COMPLETE" => {
                tally.ends.push(came.saturating_sub(last));
                return Ok(());
            }
            Some("ReplyEnded") => return Err(format!("a reply ended as {event}").into()),
            _ => {}
        }
    }
    Err("a stream ended before its reply".into())
}
