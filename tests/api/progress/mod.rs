//! Readers of a reply get exactly its parts, whatever happens to them, to the signals and to the servers, and however
//! they read.

mod rates;
mod shown;
mod stream;
mod words;
mod world;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use self::shown::Shown;
use self::stream::Stream;
use self::world::World;
use crate::http::Way;
use crate::support::{Client, TestDatabase};

/// What is said to the assistant.
const MESSAGE: &str = "Tell me";

const PARTS: &str = "
fragment Parts on Message {
  status content progressCursor
  parts { __typename ... on TextPart { text } ... on ReasoningPart { text } ... on ToolCall { id callId } } }";
const EVENTS: &str = "
fragment Events on ReplyEvent {
  __typename
  ... on ReplyRequested { cursor reply { id } }
  ... on ReplyStarted { cursor attempt } ... on ReplyReasoning { cursor text } ... on ReplyText { cursor text }
  ... on ReplyToolCall { cursor toolCall { id callId } }
  ... on ReplyRestarted { cursor attempt } ... on ReplyEnded { cursor message: reply { ...Parts } } }";
const LOAD: &str = "query($id: ID!) { message(id: $id) { ...Parts } }";
const PROGRESS: &str =
    "subscription($id: ID!, $after: String) { replyProgress(messageId: $id, after: $after) { ...Events } }";
const REQUEST: &str = "subscription($input: SendMessageInput!, $after: String) {
  sendMessage(input: $input, after: $after) { ...Events } }";
const CHANGES: &str = "subscription($since: String) { changes(since: $since, replyText: true) {
  ... on MessageChanged { cursor message { id ...Parts } }
  ... on ReplyProgressed { cursor messageId event { ...Events } } } }";

/// How often a reader comes at most: each visit brings an event, and a reply has fewer.
const MOST_VISITS: usize = 500;

/// The request for a reply.
#[derive(Clone, Debug)]
struct Asked {
    reply: Uuid,
    key: String,
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

/// By what a reader asks for a reply.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// `replyProgress`.
    Progress,
    /// The subscription that repeats the request.
    Request,
    /// REST, which repeats the request too.
    Rest,
}

/// How a reader behaves: whether it forgets what it has, or loads the message first, and after how many events it
/// leaves which server.
#[derive(Clone, Debug)]
struct Visit {
    source: Source,
    way: Way,
    forgets: bool,
    loads: bool,
    events: usize,
    server: usize,
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
    let source = select(vec![Source::Progress, Source::Request, Source::Rest]);
    let way = select(Way::STREAMS.to_vec());
    let visit = (source, way, prop::bool::weighted(0.2), prop::bool::weighted(0.3), 1usize..5, 0usize..2);
    let visit = visit.prop_map(|(source, way, forgets, loads, events, server)| Visit {
        source,
        way,
        forgets,
        loads,
        events,
        server,
    });
    prop::collection::vec(prop::collection::vec(visit, 1..6), 4)
}

impl Visit {
    /// Begins to read `asked` after `cursor`.
    async fn begin(&self, server: &Client, asked: &Asked, cursor: Option<&str>) -> Stream {
        let subscribe = async |query: &str, variables: Value| {
            Stream::subscribe(server, self.way, &[query, EVENTS, PARTS].concat(), &variables).await
        };
        match self.source {
            Source::Progress => subscribe(PROGRESS, json!({ "id": asked.reply, "after": cursor })).await,
            Source::Request => {
                let input = json!({ "content": MESSAGE, "idempotencyKey": asked.key });
                subscribe(REQUEST, json!({ "input": input, "after": cursor })).await
            }
            Source::Rest => Stream::chat(server, MESSAGE, &asked.key, cursor).await,
        }
    }
}

/// Reads a reply with these visits until it ends, and checks what was read against what is stored.
async fn read(servers: [Client; 2], asked: Asked, visits: Vec<Visit>) -> Result<(), TestCaseError> {
    let mut shown = Shown::default();
    for (number, visit) in visits.iter().cycle().take(MOST_VISITS).enumerate() {
        let server = &servers[visit.server];
        // Who forgets each time may never come to the end.
        if visit.forgets && number < visits.len() {
            shown = Shown::default();
        }
        if visit.loads {
            let message =
                server.data(&[LOAD, PARTS].concat(), json!({ "id": asked.reply })).await["message"].take();
            let loaded = Shown::of(&message);
            // Of a reply that has ended there is nothing to follow.
            if loaded.cursor.is_some() {
                shown = loaded;
            }
        }
        let mut events = visit.begin(server, &asked, shown.cursor.as_deref()).await;
        for _ in 0..visit.events {
            let Some(event) = events.next().await else {
                return Err(TestCaseError::fail("a stream ended without its end"));
            };
            if event["__typename"] == "ReplyRequested" {
                prop_assert_eq!(&event["reply"]["id"], &json!(asked.reply), "nothing is asked for twice");
            }
            if shown.take(&event)? {
                prop_assert!(events.next().await.is_none(), "nothing comes after the end");
                return Ok(());
            }
        }
    }
    Err(TestCaseError::fail("a reader does not come to the end"))
}

/// Follows all changes since before the reply with these visits, until it ends.
async fn follow(
    servers: [Client; 2],
    id: Uuid,
    mut since: Value,
    visits: Vec<Visit>,
) -> Result<(), TestCaseError> {
    let mut shown = Shown::default();
    for visit in visits.iter().cycle().take(MOST_VISITS) {
        let server = &servers[visit.server];
        let query = [CHANGES, EVENTS, PARTS].concat();
        let mut events = Stream::subscribe(server, visit.way, &query, &json!({ "since": since })).await;
        let mut left = visit.events;
        // What is there comes again.
        let mut is_known = false;
        while left > 0 {
            let Some(event) = events.next().await else {
                return Err(TestCaseError::fail("a feed ended"));
            };
            let message = &event["message"];
            if message["id"] == id.to_string() {
                shown = Shown::of(message);
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
    Err(TestCaseError::fail("a reader does not come to the end"))
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
