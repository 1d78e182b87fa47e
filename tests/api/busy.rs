//! What a second message does is decided in the database: two servers decide as one does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::{
    Answer, Client, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases,
};

/// How many messages race.
const RACERS: usize = 8;

/// Two servers whose replies end only when they may.
struct TwoServers {
    servers: [TestServer; 2],
    may_end: watch::Sender<bool>,
    scripts: Vec<JoinHandle<()>>,
}

impl TwoServers {
    async fn open(database: &TestDatabase) -> Self {
        let may_end = watch::Sender::new(false);
        let mut scripts = Vec::new();
        let mut server = async || {
            let (assistant, script) = ScriptedAssistant::new();
            scripts.push(tokio::spawn(answer(Arc::new(script), may_end.clone())));
            TestServer::with(database, Settings { assistant, ..Settings::default() }).await
        };
        let servers = [server().await, server().await];
        Self { servers, may_end, scripts }
    }

    /// A conversation of ann's with a finished turn, and one whose reply is being written.
    async fn busy_conversation(&self) -> String {
        let ann = self.servers[0].user("ann");
        self.may_end.send_replace(true);
        let conversation = ann.start("before").await;
        self.may_end.send_replace(false);
        let input = json!({ "conversationId": conversation, "awaitReply": false });
        ann.send("running", input).await;
        conversation
    }

    /// Sends messages to both servers at once.
    async fn race(&self, conversation: &str, on_busy: &str) -> Vec<Answer> {
        let racers = (0..RACERS).map(|number| {
            let client = self.servers[number % 2].user("ann");
            let input = json!({ "conversationId": conversation, "awaitReply": false, "onBusy": on_busy });
            async move { client.try_send(&format!("racer {number}"), input).await }
        });
        join_all(racers).await
    }

    /// Lets replies end once so many are under way, and returns what the conversation shows when none is.
    async fn outcome(&self, database: &TestDatabase, conversation: &str, left: i64) -> Vec<Value> {
        let under_way = "SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')";
        database.becomes(under_way, left).await;
        self.may_end.send_replace(true);
        database.becomes(under_way, 0).await;
        shown(&self.servers[1].user("ann"), conversation).await
    }
}

impl Drop for TwoServers {
    fn drop(&mut self) {
        self.scripts.iter().for_each(JoinHandle::abort);
    }
}

/// Has each reply say its question back, and end once they may.
async fn answer(script: Arc<ScriptedAssistant>, may_end: watch::Sender<bool>) {
    loop {
        let attempt = script.next().await;
        let mut may_end = may_end.subscribe();
        tokio::spawn(async move {
            let question = attempt.prompt.turns.last().unwrap().content.clone();
            attempt.say(&format!("re: {question}"));
            let _ = may_end.wait_for(|may| *may).await;
            attempt.finish();
        });
    }
}

/// The active path, whose places and parents must be in order.
async fn shown(client: &Client, conversation: &str) -> Vec<Value> {
    let messages = client.messages(conversation).await;
    for (index, message) in messages.iter().enumerate() {
        assert_eq!(message["position"], index + 1, "positions have no gaps");
        let parent = index.checked_sub(1).map_or(Value::Null, |before| messages[before]["id"].clone());
        assert_eq!(message["parent"]["id"], parent, "a message hangs below the one before it");
    }
    messages
}

fn statuses(messages: &[Value]) -> Vec<&str> {
    messages.iter().skip(1).step_by(2).map(|reply| reply["status"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn enqueued_replies_are_written_one_after_another(database) {
        let two = TwoServers::open(&database).await;
        let conversation = two.busy_conversation().await;
        for answer in two.race(&conversation, "ENQUEUE").await {
            assert_eq!(answer.data()["sendMessage"]["reply"]["status"], "QUEUED");
        }
        let messages = two.outcome(&database, &conversation, 9).await;
        assert_eq!(statuses(&messages), ["COMPLETE"; RACERS + 2]);
        for pair in messages.chunks(2) {
            let question = pair[0]["content"].as_str().unwrap();
            assert_eq!(pair[1]["content"], format!("re: {question}"), "each is answered after the one before");
        }
    }

    async fn of_rejected_messages_nothing_is_stored_and_one_of_many_wins_an_idle_conversation(database) {
        let two = TwoServers::open(&database).await;
        let conversation = two.busy_conversation().await;
        for answer in two.race(&conversation, "REJECT").await {
            assert_eq!(answer.code(), "CONVERSATION_BUSY");
        }
        assert_eq!(two.outcome(&database, &conversation, 1).await.len(), 4);

        two.may_end.send_replace(false);
        let answers = two.race(&conversation, "REJECT").await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.body.get("errors").is_none());
        assert_eq!((won.len(), lost.len()), (1, RACERS - 1));
        for answer in lost {
            assert_eq!(answer.code(), "CONVERSATION_BUSY");
        }
        let messages = two.outcome(&database, &conversation, 1).await;
        assert_eq!(statuses(&messages), ["COMPLETE"; 3]);
    }

    async fn interrupted_replies_stop_and_the_last_message_has_its_answer(database) {
        let two = TwoServers::open(&database).await;
        let conversation = two.busy_conversation().await;
        for answer in two.race(&conversation, "INTERRUPT").await {
            answer.data();
        }
        let messages = two.outcome(&database, &conversation, 1).await;
        let mut expected = ["STOPPED"; RACERS + 2];
        expected[0] = "COMPLETE";
        expected[RACERS + 1] = "COMPLETE";
        assert_eq!(statuses(&messages), expected);
    }

    async fn rolled_back_turns_leave_the_path_and_the_last_message_has_its_answer(database) {
        let two = TwoServers::open(&database).await;
        let conversation = two.busy_conversation().await;
        for answer in two.race(&conversation, "ROLLBACK").await {
            answer.data();
        }
        let messages = two.outcome(&database, &conversation, 1).await;
        assert_eq!(statuses(&messages), ["COMPLETE"; 2]);
        let (question, answer) = (messages[2]["content"].as_str().unwrap(), &messages[3]["content"]);
        assert!(question.starts_with("racer "));
        assert_eq!(answer, &format!("re: {question}"), "it sees nothing of what was rolled back");
        let stopped = database.number("SELECT count(*) FROM message WHERE status = 'STOPPED'").await;
        assert_eq!(stopped, i64::try_from(RACERS).unwrap());
    }
}

/// A message that interrupts stops a reply whichever of two servers writes it, soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn an_interrupted_reply_at_the_other_server_ends_soon() {
    let database = TestDatabase::postgres().await;
    let two = TwoServers::open(&database).await;
    let conversation = two.busy_conversation().await;
    let input = json!({ "conversationId": conversation, "awaitReply": false, "onBusy": "INTERRUPT" });
    two.servers[1].user("ann").send("interrupting", input).await;
    let running = "SELECT count(*) FROM message WHERE status = 'GENERATING' AND position = 4";
    let asked = Instant::now();
    database.becomes(running, 0).await;
    assert!(asked.elapsed() < Duration::from_secs(5), "nobody waits for the lease, nor for a look");
}
