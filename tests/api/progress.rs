//! Readers of a reply get exactly its parts, whatever happens to them, to the signals and to the servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use causerie::assistant::{Delta, ToolCall};
use causerie::entity::message;
use causerie::reply;
use causerie::signal::{Hub, Listener, Signals, Topic};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer};

const PARTS: &str = "fragment Parts on Message {
  status content progressCursor
  parts { __typename ... on TextPart { text } ... on ReasoningPart { text } ... on ToolCall { id callId } } }";
const MESSAGE: &str = "query($id: ID!) { message(id: $id) { ...Parts } } ";
const PROGRESS: &str = "subscription($id: ID!, $after: String) { replyProgress(messageId: $id, after: $after) {
  __typename
  ... on ReplyStarted { cursor attempt } ... on ReplyReasoning { cursor text } ... on ReplyText { cursor text }
  ... on ReplyToolCall { cursor toolCall { id callId } }
  ... on ReplyRestarted { cursor attempt } ... on ReplyEnded { cursor message: reply { ...Parts } } } }";

const CHANGES: &str = "subscription($since: String) { changes(since: $since, replyText: true) {
  ... on MessageChanged { cursor message { id ...Parts } }
  ... on ReplyProgressed { cursor messageId event {
    __typename
    ... on ReplyStarted { cursor attempt } ... on ReplyReasoning { cursor text } ... on ReplyText { cursor text }
    ... on ReplyToolCall { cursor toolCall { id callId } }
    ... on ReplyRestarted { cursor attempt } ... on ReplyEnded { cursor message: reply { ...Parts } } } }
} }";

/// Loses every other wake-up, more or less.
#[derive(Debug, Default)]
struct Lossy {
    hub: Hub,
    count: AtomicU64,
}

impl Signals for Lossy {
    fn send(&self, topic: Topic) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0 || topic == Topic::Claimable {
            self.hub.send(topic);
        }
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }
}

/// What happens to a reply, in order.
#[derive(Clone, Debug)]
enum Step {
    Say(String),
    Reason(String),
    CallTool,
    /// The text so far reaches the database.
    Checkpoint,
    /// The lease runs out while the server is alive: another one takes over, and the first must notice.
    LoseLease,
}

/// How a reader behaves: whether it loads the message first, and after how many events it leaves which server.
#[derive(Clone, Debug)]
struct Visit {
    loads: bool,
    events: usize,
    server: usize,
}

/// What a reader has.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// Kind and text of each part; of a tool call its id and the provider's.
    parts: Vec<(String, String)>,
    cursor: Option<String>,
    has_started: bool,
}

impl Shown {
    fn push_call(&mut self, call: &Value) {
        self.parts.push(("call".to_owned(), format!("{} {}", call["id"], call["callId"])));
    }

    /// Appends to the last part if it is of the same kind, else begins a new one.
    fn push(&mut self, kind: &str, text: &str) {
        match self.parts.last_mut() {
            Some((last, so_far)) if last == kind => *so_far += text,
            _ => self.parts.push((kind.to_owned(), text.to_owned())),
        }
    }

    /// What a client shows that has loaded the message.
    fn of(message: &Value) -> Self {
        let cursor = message["progressCursor"].as_str().map(str::to_owned);
        let mut shown = Self { cursor, ..Self::default() };
        for part in message["parts"].as_array().unwrap() {
            let text = part["text"].as_str().unwrap_or_default();
            match part["__typename"].as_str().unwrap() {
                "TextPart" => shown.push("text", text),
                "ReasoningPart" => shown.push("reasoning", text),
                "ToolCall" => shown.push_call(part),
                kind => panic!("{kind}"),
            }
        }
        assert_eq!(shown.text(), message["content"].as_str().unwrap(), "`content` is the parts of text");
        shown
    }

    fn text(&self) -> String {
        self.parts.iter().filter(|(kind, _)| kind == "text").map(|(_, text)| text.as_str()).collect()
    }

    /// Takes an event; `true` if it is the last one.
    fn take(&mut self, event: &Value) -> Result<bool, TestCaseError> {
        self.cursor = event["cursor"].as_str().map(str::to_owned);
        let text = event["text"].as_str();
        prop_assert!(text != Some(""), "no event is empty");
        match event["__typename"].as_str().unwrap() {
            "ReplyStarted" => {
                prop_assert!(!self.has_started && self.parts.is_empty(), "a reply starts once: {self:?}");
                self.has_started = true;
            }
            "ReplyText" => self.push("text", text.unwrap()),
            "ReplyReasoning" => self.push("reasoning", text.unwrap()),
            "ReplyToolCall" => self.push_call(&event["toolCall"]),
            "ReplyRestarted" => self.parts.clear(),
            "ReplyEnded" => {
                prop_assert_eq!(&self.parts, &Self::of(&event["message"]).parts);
                prop_assert_eq!(&event["message"]["progressCursor"], &Value::Null);
                return Ok(true);
            }
            kind => return Err(TestCaseError::fail(kind.to_owned())),
        }
        prop_assert!(self.has_started, "a reply starts before its text: {event}");
        Ok(false)
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => "[a-zé漢🙂 ]{1,12}".prop_map(Step::Say),
        6 => "[a-zé漢🙂 ]{1,12}".prop_map(Step::Reason),
        3 => Just(Step::CallTool),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::LoseLease),
    ];
    prop::collection::vec(step, 1..14)
}

fn visits() -> impl Strategy<Value = Vec<Vec<Visit>>> {
    let visit = (prop::bool::weighted(0.3), 1usize..5, 0usize..2).prop_map(|(loads, events, server)| Visit {
        loads,
        events,
        server,
    });
    prop::collection::vec(prop::collection::vec(visit, 1..6), 3)
}

/// Reads a reply with these visits until it ends, and checks what was read against what is stored.
async fn read(servers: [Client; 2], id: Uuid, visits: Vec<Visit>) -> Result<(), TestCaseError> {
    let mut shown = Shown::default();
    for visit in visits.iter().cycle() {
        let server = &servers[visit.server];
        if visit.loads {
            let message =
                server.data(&(MESSAGE.to_owned() + PARTS), json!({ "id": id })).await["message"].take();
            let loaded = Shown::of(&message);
            // Of a reply that has ended there is nothing to follow.
            if loaded.cursor.is_some() {
                // A reply that is loaded while it is queued starts later.
                shown = Shown { has_started: message["status"] != "QUEUED", ..loaded };
            }
        }
        let variables = json!({ "id": id, "after": shown.cursor });
        let mut events = server.subscribe(&(PROGRESS.to_owned() + PARTS), variables).await;
        for _ in 0..visit.events {
            let Some(mut event) = events.next().await else {
                return Err(TestCaseError::fail("a stream ended without its end"));
            };
            if shown.take(&event["replyProgress"].take())? {
                prop_assert!(events.next().await.is_none(), "nothing comes after the end");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Follows all changes since before the reply with these visits, until it ends.
async fn follow(
    servers: [Client; 2],
    id: Uuid,
    mut since: Value,
    visits: Vec<Visit>,
) -> Result<(), TestCaseError> {
    let mut shown = Shown::default();
    for visit in visits.iter().cycle() {
        let server = &servers[visit.server];
        let mut events = server.subscribe(&(CHANGES.to_owned() + PARTS), json!({ "since": since })).await;
        let mut left = visit.events;
        // What is there comes again.
        let mut is_known = false;
        while left > 0 {
            let Some(mut event) = events.next().await else {
                return Err(TestCaseError::fail("a feed ended"));
            };
            let event = event["changes"].take();
            let message = &event["message"];
            if message["id"] == id.to_string() {
                shown = Shown { has_started: message["status"] != "QUEUED", ..Shown::of(message) };
                is_known = true;
                if message["progressCursor"].is_null() {
                    return Ok(());
                }
            } else if event["messageId"] == id.to_string() {
                prop_assert!(is_known, "a reply is told of before its text");
                if shown.take(&event["event"])? {
                    return Ok(());
                }
            } else {
                continue;
            }
            since = event["cursor"].clone();
            left -= 1;
        }
    }
    Ok(())
}

struct World {
    database: TestDatabase,
    servers: [TestServer; 2],
    scripts: [ScriptedAssistant; 2],
    signals: Arc<Lossy>,
}

impl World {
    async fn start(database: TestDatabase) -> Self {
        let signals = Arc::new(Lossy::default());
        let start = async || {
            let (assistant, script) = ScriptedAssistant::new();
            let settings = Settings {
                assistant,
                signals: Some(signals.clone()),
                replies: reply::Options {
                    lease: Duration::from_secs(30),
                    checkpoint: Duration::from_millis(15),
                    attempts: 100,
                    ..reply::Options::default()
                },
                ..Settings::default()
            };
            (TestServer::with(&database, settings).await, script)
        };
        let ((one, first), (two, second)) = (start().await, start().await);
        Self { database, servers: [one, two], scripts: [first, second], signals }
    }

    async fn play(&self, steps: &[Step], visits: Vec<Vec<Visit>>) -> Result<(), TestCaseError> {
        let ann = self.servers[0].user("ann");
        let since = ann.data("{ viewer { changeCursor } }", json!({})).await["viewer"]["changeCursor"].take();
        let sent = ann.send("Tell me", json!({ "awaitReply": false })).await;
        let id: Uuid = sent["reply"]["id"].as_str().unwrap().parse().unwrap();
        let users = [ann.clone(), ann.at(self.servers[1].url())];
        let followers: Vec<_> = visits
            .iter()
            .take(2)
            .map(|visits| tokio::spawn(follow(users.clone(), id, since.clone(), visits.clone())))
            .collect();
        let readers: Vec<_> =
            visits.into_iter().map(|visits| tokio::spawn(read(users.clone(), id, visits))).collect();
        let mut writer = self.scripts[0].next().await;
        let mut fenced = Vec::new();
        for step in steps {
            match step {
                Step::Say(text) => writer.say(text),
                Step::Reason(text) => writer.reason(text),
                Step::CallTool => writer.send(Ok(Delta::ToolCall(ToolCall {
                    call_id: "call_0".to_owned(),
                    name: "clock".to_owned(),
                    arguments: "{}".to_owned(),
                }))),
                Step::Checkpoint => tokio::time::sleep(Duration::from_millis(20)).await,
                Step::LoseLease => {
                    let successor = self.lose_lease(id).await;
                    // The old one does not know yet: it goes on, or believes that it has finished.
                    writer.say(" lost");
                    if fenced.len() % 2 == 0 {
                        writer.finish();
                    }
                    fenced.push(std::mem::replace(&mut writer, successor));
                }
            }
        }
        writer.say(".");
        writer.finish();
        for reader in readers.into_iter().chain(followers) {
            reader.await.unwrap()?;
        }
        let row = self.servers[0].replies().wait_for_end("ann", id).await.unwrap();
        prop_assert_eq!(row.status, message::Status::Complete);
        prop_assert!(row.content.ends_with('.'));
        Ok(())
    }

    /// Makes the reply's lease run out and waits for its successor.
    async fn lose_lease(&self, id: Uuid) -> ScriptedAttempt {
        let connection = self.database.raw().await;
        // As a server leaves it that has to go.
        let (past, spelled): (_, fn(Uuid) -> String) = if self.database.is_postgres() {
            ("now() - interval '1 hour'", |id| format!("'{id}'"))
        } else {
            ("'2020-01-01T00:00:00+00:00'", |id| format!("X'{}'", id.simple()))
        };
        let (id, nobody) = (spelled(id), spelled(Uuid::nil()));
        // However long the successor takes to be seen, there is one.
        let attempt = self
            .database
            .number(&format!("SELECT CAST(attempt AS BIGINT) FROM message WHERE id = {id}"))
            .await;
        loop {
            let sql = format!(
                "UPDATE message SET lease_until = {past}, lease_owner = {nobody} WHERE id = {id} AND attempt = {attempt}"
            );
            connection.execute_unprepared(&sql).await.unwrap();
            self.signals.send(Topic::Claimable);
            // A checkpoint of the old writer may have come in between and extended the lease.
            let pause = Duration::from_millis(300);
            let next = async {
                tokio::select! {
                    attempt = self.scripts[0].next() => attempt,
                    attempt = self.scripts[1].next() => attempt,
                }
            };
            if let Ok(attempt) = timeout(pause, next).await {
                connection.close().await.unwrap();
                return attempt;
            }
        }
    }
}

fn run(cases: u32, database: impl AsyncFnOnce() -> TestDatabase) {
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(database());
    let world = runtime.block_on(World::start(database));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 50, ..Config::default() };
    let result = TestRunner::new(config)
        .run(&(steps(), visits()), |(steps, visits)| runtime.block_on(world.play(&steps, visits)));
    runtime.block_on(async { drop(world) });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn every_reader_gets_exactly_the_parts_sqlite() {
    run(48, async || TestDatabase::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: make api"]
fn every_reader_gets_exactly_the_parts_postgres() {
    run(48, TestDatabase::postgres);
}
