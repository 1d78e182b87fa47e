//! Two servers, and what happens to a reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use causerie::assistant::{Delta, ToolCall};
use causerie::entity::message;
use causerie::reply;
use causerie::signal::{Channel, Hub, Listener, Signals, Subscription, Topic};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Asked, MESSAGE, Step, Visit, follow, read};
use crate::support::{ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer};

/// Loses every other wake-up and word, more or less.
#[derive(Debug, Default)]
struct Lossy {
    hub: Hub,
    count: AtomicU64,
}

impl Lossy {
    fn is_lucky(&self) -> bool {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0
    }
}

impl Signals for Lossy {
    fn send(&self, topic: Topic) {
        if self.is_lucky() || topic == Topic::Claimable {
            self.hub.send(topic);
        }
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }

    fn publish(&self, channel: Channel, text: String) {
        if self.is_lucky() {
            self.hub.publish(channel, text);
        }
    }

    fn subscribe(&self, channel: Channel) -> Subscription {
        self.hub.subscribe(channel)
    }
}

pub(super) struct World {
    database: TestDatabase,
    servers: [TestServer; 2],
    scripts: [ScriptedAssistant; 2],
    signals: Arc<Lossy>,
}

impl World {
    pub(super) async fn start(database: TestDatabase) -> Self {
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

    pub(super) async fn play(&self, steps: &[Step], visits: Vec<Vec<Visit>>) -> Result<(), TestCaseError> {
        let ann = self.servers[0].user("ann");
        let since = ann.data("{ viewer { changeCursor } }", json!({})).await["viewer"]["changeCursor"].take();
        let key = Uuid::now_v7().to_string();
        let sent = ann.send(MESSAGE, json!({ "awaitReply": false, "idempotencyKey": key })).await;
        let id: Uuid = sent["reply"]["id"].as_str().unwrap().parse().unwrap();
        let asked = Asked { reply: id, key };
        let users = [ann.clone(), ann.at(self.servers[1].url())];
        let followers: Vec<_> = visits
            .iter()
            .take(2)
            .map(|visits| tokio::spawn(follow(users.clone(), id, since.clone(), visits.clone())))
            .collect();
        let readers: Vec<_> = visits
            .into_iter()
            .map(|visits| tokio::spawn(read(users.clone(), asked.clone(), visits)))
            .collect();
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
