//! Devices that know only what changes tell them, from any cursor, in pages of any size, end with what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use causerie::trash;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::support::{Client, TestDatabase, TestServer, on_both_databases};

const PAGE: &str = "query($since: String, $first: Int) {
  changes(since: $since, first: $first) {
    nodes {
      __typename
      ... on ConversationChanged { cursor conversation { ...name } }
      ... on ConversationRestored { cursor conversation { ...name } }
      ... on ActivePathChanged { cursor conversation { ...name } }
      ... on ConversationDeleted { cursor conversationId }
      ... on MessageChanged { cursor message { ...words conversation { id } } }
      ... on MessageDeleted { cursor messageId }
    }
    pageInfo { hasNextPage }
  }
}
fragment name on Conversation { id title lastMessage { id } }
fragment words on Message { id content status position active parent { id } }";

const MESSAGES: &str = "query($id: ID!) {
  messages(conversationId: $id, first: 100) { nodes { ...words } pageInfo { hasNextPage } }
}
fragment words on Message { id content status position active parent { id } }";

const LOAD: &str = "{
  conversations(first: 100, filter: { states: [ACTIVE, ARCHIVED] }) { nodes { id title lastMessage { id } } pageInfo { hasNextPage } }
  viewer { changeCursor }
}";

const CREATE: &str = "mutation { createConversation(input: {}) { conversation { id } } }";
const SEND: &str = "mutation($id: ID) {
  sendMessage(input: { conversationId: $id, content: \"hello\", awaitReply: false }) {
    conversation { id } message { id } reply { id }
  }
}";
const EDIT: &str = "mutation($id: ID!) {
  editMessage(input: { messageId: $id, content: \"hello again\", awaitReply: false }) { message { id } reply { id } } }";
const ACTIVATE: &str = "mutation($id: ID!) { activateMessage(input: { messageId: $id }) { message { id } } }";
const DELETE_MESSAGE: &str =
    "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) { deletedMessageId } }";
const RENAME: &str = "mutation($id: ID!, $title: String!) {
  updateConversation(input: { conversationId: $id, title: $title }) { conversation { id } } }";
const DELETE: &str =
    "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
const RESTORE: &str =
    "mutation($id: ID!) { restoreConversation(input: { conversationId: $id }) { conversation { id } } }";

/// What is done, to which of the conversations, messages or devices.
#[derive(Clone, Debug)]
enum Step {
    Create,
    Start,
    Send(Index),
    Edit(Index),
    Activate(Index),
    DeleteMessage(Index),
    Rename(Index),
    Delete(Index),
    Restore(Index),
    /// What is in the trash can no longer be restored.
    Erase,
    /// A device reads a page, and does with it what it says only when it reads the next one.
    Read(Index, usize),
    /// A device as it is now, which stays away while the other one goes on.
    Copy(Index),
    /// A device that has loaded everything, and asks for what changes afterwards. Some work paths out by themselves.
    Join(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let step = prop_oneof![
        2 => Just(Step::Create),
        2 => Just(Step::Start),
        4 => index().prop_map(Step::Send),
        2 => index().prop_map(Step::Edit),
        2 => index().prop_map(Step::Activate),
        2 => index().prop_map(Step::DeleteMessage),
        5 => index().prop_map(Step::Rename),
        5 => index().prop_map(Step::Delete),
        6 => index().prop_map(Step::Restore),
        1 => Just(Step::Erase),
        12 => (index(), 1..8_usize).prop_map(|(device, size)| Step::Read(device, size)),
        2 => index().prop_map(Step::Copy),
        1 => any::<bool>().prop_map(Step::Join),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a client knows that reads changes, and a conversation anew when it is told to.
#[derive(Clone, Default)]
struct Device {
    cursor: Value,
    pending: Vec<Value>,
    titles: BTreeMap<String, Value>,
    /// Each with its conversation.
    messages: BTreeMap<String, (String, Value)>,
    /// Whether it works out by itself which messages are on the active path: each conversation's last message, and what
    /// comes before it. Otherwise it reads them anew when the path has changed.
    by_parents: bool,
    lasts: BTreeMap<String, Value>,
    /// The conversations of which it has read the active path alone.
    partial: BTreeSet<String>,
}

impl Device {
    /// Loads what there is, as a client does when it is opened.
    async fn load(client: &Client, by_parents: bool) -> Self {
        let mut data = client.data(LOAD, json!({})).await;
        let cursor = data["viewer"]["changeCursor"].take();
        let mut device = Self { cursor, by_parents, ..Self::default() };
        let page = data["conversations"].take();
        assert_eq!(page["pageInfo"]["hasNextPage"], false);
        for row in page["nodes"].as_array().unwrap() {
            device.take_conversation(row);
            device.load_messages(client, &text(&row["id"])).await;
        }
        device
    }

    fn take_conversation(&mut self, row: &Value) {
        self.titles.insert(text(&row["id"]), row["title"].clone());
        self.lasts.insert(text(&row["id"]), row["lastMessage"]["id"].clone());
    }

    async fn load_messages(&mut self, client: &Client, conversation: &str) {
        self.messages.retain(|_, (of, _)| of != conversation);
        self.partial.insert(conversation.to_owned());
        let page = client.data(MESSAGES, json!({ "id": conversation })).await["messages"].take();
        assert_eq!(page["pageInfo"]["hasNextPage"], false);
        for row in page["nodes"].as_array().unwrap() {
            self.messages.insert(text(&row["id"]), (conversation.to_owned(), row.clone()));
        }
    }

    /// Reads a page once the one before is dealt with; tells whether there is more.
    async fn read(&mut self, client: &Client, first: usize) -> bool {
        for event in std::mem::take(&mut self.pending) {
            self.apply(client, &event).await;
        }
        let mut page =
            client.data(PAGE, json!({ "since": self.cursor, "first": first })).await["changes"].take();
        let Value::Array(events) = page["nodes"].take() else { panic!("a page has nodes") };
        if let Some(last) = events.last() {
            self.cursor = last["cursor"].clone();
        }
        self.pending = events;
        page["pageInfo"]["hasNextPage"] == true
    }

    async fn apply(&mut self, client: &Client, event: &Value) {
        match event["__typename"].as_str().unwrap() {
            "ConversationChanged" => self.take_conversation(&event["conversation"]),
            "ActivePathChanged" => {
                let row = &event["conversation"];
                self.take_conversation(row);
                if !self.by_parents {
                    self.load_messages(client, &text(&row["id"])).await;
                }
            }
            "ConversationRestored" => {
                let row = &event["conversation"];
                self.take_conversation(row);
                self.load_messages(client, &text(&row["id"])).await;
            }
            "ConversationDeleted" => {
                let id = text(&event["conversationId"]);
                self.titles.remove(&id);
                self.partial.remove(&id);
                self.messages.retain(|_, (of, _)| *of != id);
            }
            "MessageChanged" => {
                let mut row = event["message"].clone();
                let conversation = text(&row["conversation"]["id"]);
                row.as_object_mut().unwrap().remove("conversation");
                self.messages.insert(text(&row["id"]), (conversation, row));
            }
            "MessageDeleted" => drop(self.messages.remove(&text(&event["messageId"]))),
            other => panic!("{other}"),
        }
    }

    /// What its user sees: conversations with their titles, and the messages of their active paths.
    async fn shown(&mut self, client: &Client) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
        let mut shown = BTreeMap::new();
        for conversation in self.titles.keys().cloned().collect::<Vec<_>>() {
            let path = if self.by_parents { self.path(client, &conversation).await } else { Vec::new() };
            let of_it = self.messages.iter().filter(|(_, (of, _))| *of == conversation);
            for (id, (_, row)) in of_it {
                let mut row = row.clone();
                if if self.by_parents { path.contains(id) } else { row["active"] == true } {
                    row["active"] = json!(true);
                    shown.insert(id.clone(), row);
                }
            }
        }
        (self.titles.clone(), shown)
    }

    /// The ids of the messages on the active path. Those that it has never read it reads.
    async fn path(&mut self, client: &Client, conversation: &str) -> Vec<String> {
        loop {
            let (mut path, mut next) = (Vec::new(), &self.lasts[conversation]);
            while let Some((id, known)) = next.as_str().map(|id| (id, self.messages.get(id))) {
                let Some((_, row)) = known else { break };
                path.push(id.to_owned());
                next = &row["parent"]["id"];
            }
            if next.is_null() {
                return path;
            }
            assert!(self.partial.remove(conversation), "it was told of all messages of {conversation}");
            self.load_messages(client, conversation).await;
            self.partial.remove(conversation);
        }
    }
}

fn text(id: &Value) -> String {
    id.as_str().unwrap().to_owned()
}

/// A user with devices.
struct World<'t> {
    client: Client,
    server: &'t TestServer,
    database: &'t TestDatabase,
    conversations: Vec<String>,
    messages: Vec<String>,
    devices: Vec<Device>,
    titles: u32,
}

impl World<'_> {
    async fn step(&mut self, step: Step) {
        let pick =
            |ids: &[String], index: Index| (!ids.is_empty()).then(|| ids[index.index(ids.len())].clone());
        let conversation = |index| pick(&self.conversations, index);
        let message = |index| pick(&self.messages, index);
        match step {
            Step::Create => self.write(CREATE, Value::Null).await,
            Step::Start => self.write(SEND, Value::Null).await,
            Step::Send(index) => self.write(SEND, conversation(index).into()).await,
            Step::Edit(index) => self.write(EDIT, message(index).into()).await,
            Step::Activate(index) => self.write(ACTIVATE, message(index).into()).await,
            Step::DeleteMessage(index) => self.write(DELETE_MESSAGE, message(index).into()).await,
            Step::Rename(index) => self.write(RENAME, conversation(index).into()).await,
            Step::Delete(index) => self.write(DELETE, conversation(index).into()).await,
            Step::Restore(index) => self.write(RESTORE, conversation(index).into()).await,
            Step::Erase => self.erase().await,
            Step::Read(index, size) => {
                let device = index.index(self.devices.len());
                self.devices[device].read(&self.client, size).await;
            }
            Step::Copy(index) => {
                let device = self.devices[index.index(self.devices.len())].clone();
                self.devices.push(device);
            }
            Step::Join(by_parents) => {
                let device = Device::load(&self.client, by_parents).await;
                self.devices.push(device);
            }
        }
    }

    /// Runs a mutation on what may not be there, or be busy.
    async fn write(&mut self, mutation: &str, id: Value) {
        if id.is_null() && mutation.contains("$id: ID!") {
            return;
        }
        self.titles += 1;
        let variables = json!({ "id": id, "title": format!("title {}", self.titles) });
        let body = self.client.run(mutation, variables).await.body;
        if let Some(errors) = body.get("errors") {
            let code = errors[0]["extensions"]["code"].as_str().unwrap();
            assert!(["NOT_FOUND", "INVALID_STATE", "CONVERSATION_BUSY"].contains(&code), "{body}");
            return;
        }
        for payload in body["data"].as_object().unwrap().values() {
            for field in ["conversation", "message", "reply"] {
                let known =
                    if field == "conversation" { &mut self.conversations } else { &mut self.messages };
                if let Some(id) = payload[field]["id"].as_str()
                    && !known.iter().any(|known| known == id)
                {
                    known.push(id.to_owned());
                }
            }
        }
    }

    async fn erase(&self) {
        let ended = CancellationToken::new();
        let options = trash::Options { keep: Duration::ZERO, period: Duration::from_millis(1) };
        trash::start(self.server.database().clone(), self.server.replies().clone(), options, ended.clone());
        let left = "SELECT count(*) FROM conversation WHERE deleted_at IS NOT NULL AND erased_at IS NULL";
        self.database.becomes(left, 0).await;
        ended.cancel();
    }

    /// Has each device read on to the end, and compares what it then shows.
    async fn check(&mut self) {
        let under_way = "SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')";
        self.database.becomes(under_way, 0).await;
        let truth = Device::load(&self.client, false).await.shown(&self.client).await;
        for (number, device) in self.devices.iter_mut().enumerate() {
            while device.read(&self.client, 5).await {}
            for event in std::mem::take(&mut device.pending) {
                device.apply(&self.client, &event).await;
            }
            assert_eq!(device.shown(&self.client).await, truth, "device {number}");
        }
    }
}

on_both_databases! {
    async fn devices_end_with_what_there_is_whatever_happened_while_they_were_away(database) {
        agree(&database).await;
    }

    async fn a_restoration_is_told_however_much_was_changed_since(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        ann.data(DELETE, json!({ "id": id })).await;
        let mut device = Device::load(&ann, false).await;
        ann.data(RESTORE, json!({ "id": id })).await;
        for _ in 0..25 {
            ann.data(CREATE, json!({})).await;
        }
        ann.data(RENAME, json!({ "id": id, "title": "back" })).await;
        while device.read(&ann, 20).await {}
        for event in std::mem::take(&mut device.pending) {
            device.apply(&ann, &event).await;
        }
        assert_eq!(device.titles[&id], "back");
        let truth = Device::load(&ann, false).await.shown(&ann).await;
        assert_eq!(device.shown(&ann).await, truth);
    }
}

async fn agree(database: &TestDatabase) {
    let server = TestServer::start(database).await;
    let users = AtomicU32::new(0);
    let mut runner = TestRunner::new(Config {
        // PROPTEST_CASES asks for more.
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 24 },
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let result = tokio::task::block_in_place(|| {
        runner.run(&steps(), |steps| {
            let mut world = World {
                client: server.user(&format!("user {}", users.fetch_add(1, Ordering::Relaxed))),
                server: &server,
                database,
                conversations: Vec::new(),
                messages: Vec::new(),
                devices: vec![Device::default(), Device { by_parents: true, ..Device::default() }],
                titles: 0,
            };
            Handle::current().block_on(async {
                for step in steps {
                    world.step(step).await;
                }
                world.check().await;
            });
            Ok(())
        })
    });
    result.unwrap();
}
