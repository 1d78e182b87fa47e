//! Readers of a reply get exactly its text, whatever happens to them, to the signals and to the servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use causerie::entity::message;
use causerie::memory::Memory;
use causerie::reply::{self, ProgressEvent, Replies, ReplyPosition};
use causerie::signal::{Hub, Listener, Signals, Topic};
use futures_util::StreamExt;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{ScriptedAssistant, Settings, TestDatabase, TestServer};

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
    /// The text so far reaches the database.
    Checkpoint,
    /// The lease runs out while the server is alive: another one takes over, and the first must notice.
    LoseLease,
}

/// How a reader behaves: after how many events it leaves, and to which server it then goes.
#[derive(Clone, Debug)]
struct Visit {
    events: usize,
    server: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => "[a-zé漢🙂 ]{1,12}".prop_map(Step::Say),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::LoseLease),
    ];
    prop::collection::vec(step, 1..14)
}

fn visits() -> impl Strategy<Value = Vec<Vec<Visit>>> {
    let visit = (1usize..5, 0usize..2).prop_map(|(events, server)| Visit { events, server });
    prop::collection::vec(prop::collection::vec(visit, 1..6), 3)
}

/// Reads a reply with these visits until it ends, and checks what was read against what is stored.
async fn read(servers: [Replies; 2], id: Uuid, visits: Vec<Visit>) -> Result<(), TestCaseError> {
    let mut text = String::new();
    let mut place: Option<ReplyPosition> = None;
    for visit in visits.iter().cycle() {
        let mut events =
            servers[visit.server].progress("ann", id, place, Memory::new(1 << 30).budget("ann", 1 << 20));
        for _ in 0..visit.events {
            let next = timeout(Duration::from_secs(20), events.next()).await;
            let Some(event) = next.map_err(|_| TestCaseError::fail("a reader waits for ever"))? else {
                return Err(TestCaseError::fail("a stream ended without its end"));
            };
            let (event, now) = event.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            place = Some(now);
            match event {
                ProgressEvent::Text(more) => {
                    prop_assert!(!more.is_empty());
                    text += &more;
                }
                ProgressEvent::Restarted => text.clear(),
                ProgressEvent::Ended(row) => {
                    prop_assert_eq!(&text, &row.content);
                    prop_assert!(events.next().await.is_none(), "nothing comes after the end");
                    return Ok(());
                }
            }
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
        let sent = ann.send("Tell me", json!({ "awaitReply": false })).await;
        let id: Uuid = sent["reply"]["id"].as_str().unwrap().parse().unwrap();
        let replies = [self.servers[0].replies().clone(), self.servers[1].replies().clone()];
        let readers: Vec<_> =
            visits.into_iter().map(|visits| tokio::spawn(read(replies.clone(), id, visits))).collect();
        let mut writer = self.scripts[0].next().await;
        let mut fenced = Vec::new();
        for step in steps {
            match step {
                Step::Say(text) => writer.say(text),
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
        for reader in readers {
            reader.await.unwrap()?;
        }
        let row = replies[0].wait_for_end("ann", id).await.unwrap();
        prop_assert_eq!(row.status, message::Status::Complete);
        prop_assert!(row.content.ends_with('.'));
        Ok(())
    }

    /// Makes the reply's lease run out and waits for its successor.
    async fn lose_lease(&self, id: Uuid) -> crate::support::ScriptedAttempt {
        let connection = self.database.raw().await;
        // As a server leaves it that has to go.
        let (past, spelled): (_, fn(Uuid) -> String) = if self.database.is_postgres() {
            ("now() - interval '1 hour'", |id| format!("'{id}'"))
        } else {
            ("'2020-01-01T00:00:00+00:00'", |id| format!("X'{}'", id.simple()))
        };
        let (id, nobody) = (spelled(id), spelled(Uuid::nil()));
        loop {
            let sql =
                format!("UPDATE message SET lease_until = {past}, lease_owner = {nobody} WHERE id = {id}");
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
fn every_reader_gets_exactly_the_text_sqlite() {
    run(48, async || TestDatabase::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: make api"]
fn every_reader_gets_exactly_the_text_postgres() {
    run(48, TestDatabase::postgres);
}
