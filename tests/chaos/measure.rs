//! What many readers cost one server: memory, and the time from a word's writing to its reading.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::api::{Api, Trouble};
use crate::database::Cluster;
use crate::events::{Events, Said};
use crate::provider::{HOLD, Pace, Provider, microseconds};
use crate::server::{self, Limits, Server};
use crate::world::User;

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) { reply { id } } }";
const PROGRESS: &str = "subscription($id: ID!) { replyProgress(messageId: $id) {
  ... on ReplyText { text } ... on ReplyEnded { message: reply { status } } } }";
const CHANGES: &str = "subscription { changes { ... on MessageChanged { message { id status } } } }";

/// Users who hold idle subscriptions, and how many of each kind each of them has.
const IDLE_USERS: usize = 100;
const IDLE_EACH: usize = 5;

/// Replies that are written at once, their words, and the pause between these.
const REPLIES: usize = 200;
const WORDS: usize = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where everybody goes.
struct Place {
    api: Api,
    url: String,
}

/// Measures and prints the figures.
///
/// # Errors
/// If the server cannot do it.
pub async fn measure() -> Result<(), String> {
    let cluster = Cluster::find().await?;
    let provider = Provider::start(fastrand::Rng::with_seed(1), Pace::Timed(WORDS, PAUSE)).await;
    let arguments = [
        "--assistant-url",
        provider.url(),
        "--assistant-model",
        "chaos",
        "--log",
        "warn",
        "--assistant-idle-timeout",
        "1h",
    ];
    let arguments = arguments.map(str::to_owned);
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("measure.log");
    let mut server = Server::start(&cluster.url(), Limits::None, &arguments, &log).await?;
    let place = Arc::new(Place { api: Api::new(), url: server.url().to_owned() });
    let megabytes = |server: &Server| {
        format!("{:>6.1} MB", f64::from(u32::try_from(server.memory() / 1024).unwrap_or(u32::MAX)) / 1024.0)
    };
    println!("measure: one server, {}, PostgreSQL, {} processors", server::build(), num_processors());
    println!("  {}  at rest", megabytes(&server));

    let mut idle = Vec::new();
    for users in (0..IDLE_USERS).collect::<Vec<_>>().chunks(10) {
        let opened = join_all(users.iter().map(|number| subscribe(&place, *number))).await;
        for streams in opened {
            idle.extend(streams.map_err(|trouble| format!("a subscription failed: {trouble:?}"))?);
        }
    }
    sleep(Duration::from_secs(2)).await;
    println!(
        "  {}  with {} idle subscriptions, half of changes, half of replies",
        megabytes(&server),
        idle.len()
    );

    let began = Instant::now();
    let mut readers = JoinSet::new();
    for number in 0..REPLIES {
        readers.spawn(read(place.clone(), IDLE_USERS + number));
    }
    sleep(PAUSE * u32::try_from(WORDS / 2).unwrap_or(1)).await;
    println!("  {}  and {REPLIES} replies being written", megabytes(&server));
    let mut delays = Vec::new();
    while let Some(read) = readers.join_next().await {
        let read = read.map_err(|error| error.to_string())?;
        delays.extend(read.map_err(|trouble| format!("a reply was not read: {trouble:?}"))?);
    }
    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() - 1) * share / 1000] / 1000;
    println!(
        "  {:>6} words of {REPLIES} replies in {:.1} s; from writing to reading: p50 {} ms, p99 {} ms, p99.9 {} ms",
        delays.len(),
        began.elapsed().as_secs_f32(),
        at(500),
        at(990),
        at(999)
    );
    println!("  {}  after them", megabytes(&server));
    drop(idle);
    server.kill().await;
    Ok(())
}

/// A user's idle subscriptions: of changes, and of a reply that says no more.
async fn subscribe(place: &Place, number: usize) -> Result<Vec<Events>, Trouble> {
    let user = User::new(number);
    let reply = send(place, &user, HOLD).await?;
    let mut streams = Vec::new();
    for _ in 0..IDLE_EACH {
        for (operation, variables) in [(CHANGES, json!({})), (PROGRESS, json!({ "id": reply }))] {
            let mut stream =
                place.api.subscribe(&place.url, &user.token, operation, variables, PATIENCE).await?;
            // It has caught up, and has nothing more to say.
            stream.next(PATIENCE).await?;
            streams.push(stream);
        }
    }
    Ok(streams)
}

async fn send(place: &Place, user: &User, what: &str) -> Result<Value, Trouble> {
    let content = format!("@user-{}: {what}", user.number);
    let variables = json!({ "input": { "content": content, "awaitReply": false } });
    let mut data = place.api.run(&place.url, &user.token, SEND, variables, PATIENCE).await?;
    Ok(data["sendMessage"]["reply"]["id"].take())
}

/// Sends a message and reads its reply as it is written. Returns the microseconds that each word took.
async fn read(place: Arc<Place>, number: usize) -> Result<Vec<u64>, Trouble> {
    let user = User::new(number);
    let id = send(&place, &user, "something").await?;
    let mut stream =
        place.api.subscribe(&place.url, &user.token, PROGRESS, json!({ "id": id }), PATIENCE).await?;
    let (mut delays, mut first) = (Vec::new(), true);
    loop {
        let Said::Data(data) = stream.next(PATIENCE).await? else {
            return Err(Trouble::Lost("the reply fell silent".to_owned()));
        };
        let event = &data["replyProgress"];
        if event["message"]["status"] == "COMPLETE" {
            return Ok(delays);
        }
        let now = microseconds();
        let Some(text) = event["text"].as_str() else { continue };
        let times = text.split('@').filter_map(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<u64>().ok().filter(|time| *time > 1_000_000_000_000)
        });
        // What was there before the reader came did not have to wait for the server.
        if !std::mem::take(&mut first) {
            delays.extend(times.map(|time| now.saturating_sub(time)));
        }
    }
}

fn num_processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
