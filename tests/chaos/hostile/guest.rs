//! A client who behaves: sends a message, waits for its reply, reads a page, and thinks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Times;
use crate::api::{Api, Trouble};
use crate::world::User;

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
  conversation { id } message { id } reply { id status content } } }";
const LATEST: &str = "query($id: ID!) { messages(conversationId: $id, last: 20) { nodes { id content } } }";
const ALL: &str =
    "query($id: ID!, $after: String) { messages(conversationId: $id, first: 100, after: $after) {
  nodes { id role status content } pageInfo { hasNextPage endCursor } } }";

/// After how many messages a new conversation is begun: a long one takes longer, whoever attacks.
const LENGTH: usize = 50;

const PATIENCE: Duration = Duration::from_secs(30);
const THOUGHT: Duration = Duration::from_millis(100);

/// What an orchestrator asks for, how often, and how long it waits.
const PROBES: [&str; 2] = ["healthz", "readyz"];
const PROBE_PERIOD: Duration = Duration::from_millis(500);
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// Asks until `end`, as an orchestrator does, whether the server lives and can serve. Returns when it did not say so.
pub(super) async fn probe(url: String, end: CancellationToken) -> Vec<String> {
    let api = Api::reconnecting(Ipv4Addr::new(127, 0, 2, 1));
    let mut losses = Vec::new();
    while !end.is_cancelled() {
        for page in PROBES {
            let status = api.status(&format!("{url}/{page}"), PROBE_PATIENCE).await;
            if status != Some(200) {
                losses.push(format!("/{page} was answered {status:?}"));
            }
        }
        sleep(PROBE_PERIOD).await;
    }
    losses
}

/// A client who behaves.
pub(super) struct Guest {
    api: Api,
    url: String,
    user: User,
    times: Arc<Times>,
    /// The ids of the conversations, the current one last.
    conversations: Vec<Value>,
    /// What was acknowledged: the messages by their ids.
    sent: BTreeMap<String, String>,
    losses: Vec<String>,
}

impl Guest {
    pub(super) fn new(number: usize, url: &str, times: Arc<Times>) -> Result<Self, String> {
        let last = u8::try_from(number + 10).map_err(|error| error.to_string())?;
        let address = Ipv4Addr::new(127, 0, 2, last);
        // Some stay connected, and some come anew each time, as behind many a proxy.
        let api = if number.is_multiple_of(2) { Api::from(address) } else { Api::reconnecting(address) };
        Ok(Self {
            api,
            url: url.to_owned(),
            user: User::new(number),
            times,
            conversations: Vec::new(),
            sent: BTreeMap::new(),
            losses: Vec::new(),
        })
    }

    /// Stays until `end`, and then looks whether everything is there. Returns what is not, and what was refused.
    pub(super) async fn stay(mut self, end: CancellationToken) -> Vec<String> {
        let mut serial = 0;
        while !end.is_cancelled() {
            let conversation = match self.conversations.last() {
                Some(id) if serial % LENGTH != 0 => id.clone(),
                _ => Value::Null,
            };
            serial += 1;
            let content = format!("message {serial} of {}", self.user.number);
            let input = json!({ "content": content, "conversationId": conversation });
            if let Some(mut data) = self.ask(SEND, json!({ "input": input })).await {
                let mut sent = data["sendMessage"].take();
                if sent["reply"]["status"] != "COMPLETE" {
                    self.losses.push(format!("no reply to {content}: {}", sent["reply"]["status"]));
                }
                self.sent.insert(sent["message"]["id"].as_str().unwrap_or_default().to_owned(), content);
                let id = sent["conversation"]["id"].take();
                if self.conversations.last() != Some(&id) {
                    self.conversations.push(id);
                }
            }
            if let Some(id) = self.conversations.last().cloned() {
                self.ask(LATEST, json!({ "id": id })).await;
            }
            sleep(THOUGHT).await;
        }
        self.look().await;
        self.losses
    }

    /// Asks, notes the time, and takes any trouble for a loss.
    async fn ask(&mut self, operation: &str, variables: Value) -> Option<Value> {
        let began = Instant::now();
        let answer = self.run(operation, variables).await;
        self.times.add(began);
        match answer {
            Ok(data) => Some(data),
            Err(trouble) => {
                self.losses.push(format!("a request of user {}: {trouble:?}", self.user.number));
                None
            }
        }
    }

    async fn run(&self, operation: &str, variables: Value) -> Result<Value, Trouble> {
        self.api.run(&self.url, &self.user.token, operation, variables, PATIENCE).await
    }

    /// Compares what was acknowledged with what is stored.
    async fn look(&mut self) {
        let mut missing = self.sent.clone();
        for id in std::mem::take(&mut self.conversations) {
            if self.look_at(&id, &mut missing).await.is_none() {
                return;
            }
        }
        self.losses.extend(missing.into_values().map(|content| format!("{content} is gone")));
    }

    /// Takes what a conversation has out of what is missing; nothing if it cannot be read.
    async fn look_at(&mut self, id: &Value, missing: &mut BTreeMap<String, String>) -> Option<()> {
        let mut after = Value::Null;
        loop {
            // Those who behave do not ask as fast as they can.
            sleep(THOUGHT).await;
            let mut data = self.ask(ALL, json!({ "id": id, "after": after })).await?;
            let mut page = data["messages"].take();
            for message in page["nodes"].as_array().into_iter().flatten() {
                if message["status"] != "COMPLETE" {
                    self.losses.push(format!("a message is {}", message["status"]));
                }
                let (id, content) = (message["id"].as_str(), message["content"].as_str());
                if message["role"] == "USER" && missing.remove(id.unwrap_or_default()).as_deref() != content {
                    self.losses.push(format!("a message that nobody was told of: {message}"));
                }
            }
            if page["pageInfo"]["hasNextPage"] != true {
                return Some(());
            }
            after = page["pageInfo"]["endCursor"].take();
        }
    }
}
