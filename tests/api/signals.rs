//! Wake-ups that are lost, late or doubled change nothing but how soon something is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use causerie::database::Address;
use causerie::reply;
use causerie::signal::{Channel, Hub, Listener, Postgres, Signals, Subscription, Topic};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{Proxy, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases};

const PROGRESS: &str = "subscription($id: ID!) { replyProgress(messageId: $id) {
  ... on ReplyText { text } ... on ReplyRestarted { attempt } ... on ReplyEnded { message: reply { status content } } } }";
const CHANGES: &str = "subscription { changes {
  ... on ConversationChanged { conversation { id } }
  ... on MessageChanged { message { id status content } } } }";
const STOP: &str = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status content } } }";

/// What a carrier does to wake-ups.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Lost,
    Late(Duration),
    Doubled,
}

/// A carrier between two servers that does so.
#[derive(Debug)]
struct Faulty {
    hub: Hub,
    fault: Fault,
}

impl Faulty {
    /// Does `send` as often and as late as it happens to.
    fn carry(&self, send: impl Fn(&Hub) + Send + 'static) {
        let hub = self.hub.clone();
        match self.fault {
            Fault::Lost => {}
            Fault::Late(time) => {
                tokio::spawn(async move {
                    sleep(time).await;
                    send(&hub);
                });
            }
            Fault::Doubled => {
                send(&hub);
                tokio::spawn(async move {
                    send(&hub);
                    sleep(Duration::from_millis(20)).await;
                    send(&hub);
                });
            }
        }
    }
}

impl Signals for Faulty {
    fn send(&self, topic: Topic) {
        self.carry(move |hub| hub.send(topic));
    }

    fn listen(&self, topic: Topic) -> Listener {
        self.hub.listen(topic)
    }

    fn publish(&self, channel: Channel, text: String) {
        self.carry(move |hub| hub.publish(channel, text.clone()));
    }

    fn subscribe(&self, channel: Channel) -> Subscription {
        self.hub.subscribe(channel)
    }
}

/// Writes at one server, and follows, stops and waits at another.
async fn live_with(fault: Fault, database: &TestDatabase) {
    let signals: Arc<dyn Signals> = Arc::new(Faulty { hub: Hub::default(), fault });
    let start = async || {
        let (assistant, script) = ScriptedAssistant::new();
        let signals = Some(signals.clone());
        let replies = reply::Options {
            lease: Duration::from_secs(30),
            checkpoint: Duration::from_millis(50),
            ..reply::Options::default()
        };
        (
            TestServer::with(database, Settings { assistant, replies, signals, ..Settings::default() }).await,
            script,
        )
    };
    let ((here, writer), (there, _idle)) = (start().await, start().await);
    let (ann, away) = (here.user("ann"), there.user("ann"));
    let mut changes = away.subscribe(CHANGES, json!({})).await;
    let began = Instant::now();

    let sent = ann.send("one", json!({ "awaitReply": false })).await;
    let (conversation, first) = (&sent["conversation"]["id"], &sent["reply"]["id"]);
    let queued = ann.send("two", json!({ "conversationId": conversation, "awaitReply": false })).await;
    let second = &queued["reply"]["id"];
    let waiting = tokio::spawn({
        let (away, conversation) = (away.clone(), conversation.clone());
        async move { away.send("three", json!({ "conversationId": conversation })).await }
    });

    // The reply is read elsewhere while it is written.
    let mut events = away.subscribe(PROGRESS, json!({ "id": first })).await;
    let attempt = writer.next().await;
    let mut text = String::new();
    for piece in ["Bon", "jour", ", Ann"] {
        attempt.say(piece);
        let expected = format!("{text}{piece}");
        while text != expected {
            text += events.progress().await["text"].as_str().unwrap();
        }
    }
    attempt.finish();
    let ended = events.progress().await["message"].take();
    assert_eq!(ended, json!({ "status": "COMPLETE", "content": "Bonjour, Ann" }));

    // The one behind it has its turn, and is stopped from elsewhere.
    let attempt = writer.next().await;
    let mut events = away.subscribe(PROGRESS, json!({ "id": second })).await;
    attempt.say("Two");
    assert_eq!(events.progress().await["text"], "Two");
    let stopped = away.data(STOP, json!({ "id": second })).await["stopReply"]["reply"].take();
    assert_eq!(stopped, json!({ "status": "STOPPED", "content": "Two" }));
    assert_eq!(events.progress().await["message"], stopped);
    attempt.dropped().await;

    // And who waits for the third is answered.
    let attempt = writer.next().await;
    attempt.say("Three");
    attempt.finish();
    let third = waiting.await.unwrap();
    assert_eq!(third["reply"]["content"], "Three");

    // Six messages and their conversation are known elsewhere, as they are in the end.
    let mut known = std::collections::BTreeMap::new();
    let in_the_end = |known: &std::collections::BTreeMap<String, Value>| {
        known.len() == 6
            && known
                .values()
                .all(|message| message["status"] != "QUEUED" && message["status"] != "GENERATING")
    };
    while !in_the_end(&known) {
        let message = changes.next().await.unwrap()["changes"]["message"].take();
        if let Some(id) = message["id"].as_str() {
            known.insert(id.to_owned(), message);
        }
    }
    assert_eq!(known[second.as_str().unwrap()]["content"], "Two");
    assert!(began.elapsed() < Duration::from_secs(25), "{fault:?}: {:?}", began.elapsed());
}

on_both_databases! {
    async fn lost_signals_only_cost_time(database) {
        live_with(Fault::Lost, &database).await;
    }

    async fn late_signals_only_cost_time(database) {
        live_with(Fault::Late(Duration::from_millis(300)), &database).await;
    }

    async fn doubled_signals_change_nothing(database) {
        live_with(Fault::Doubled, &database).await;
    }
}

/// Waits until what `from` sends arrives at `to`, more than once: who listens anew is woken once for nothing.
async fn reaches(from: &Postgres, to: &Postgres) {
    let topic = Topic::of_user("ann");
    let mut listener = to.listen(topic);
    let mut heard = 0;
    while heard < 3 {
        from.send(topic);
        if timeout(Duration::from_millis(100), listener.woken()).await.is_ok() {
            heard += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn wake_ups_are_back_soon_after_a_machine_has_vanished() {
    let database = TestDatabase::postgres().await;
    let proxy = Proxy::to(database.url()).await;
    let shutdown = CancellationToken::new();
    let start = |url: &str| Postgres::start(&Address::parse(url).unwrap(), &shutdown).unwrap();
    let (here, there) = (start(&proxy.url(database.url())), start(database.url()));
    let both_ways = async || {
        reaches(&here, &there).await;
        reaches(&there, &here).await;
    };
    both_ways().await;

    proxy.black_hole();
    here.send(Topic::Claimable);
    proxy.mend();
    let back = timeout(Duration::from_secs(10), both_ways()).await;
    shutdown.cancel();
    assert!(back.is_ok(), "wake-ups are not back");
}
