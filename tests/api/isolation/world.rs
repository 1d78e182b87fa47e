//! A victim with secrets of every kind, an attacker with rows of their own, and values that name nothing.

use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::call::{CALLS, Kind, MARKER, Seen};
use crate::support::{Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer};

/// Texts of the victim's that nobody else may see.
const SECRET: &str = "a secret";

/// What a message says whose reply is to go on for ever.
const HELD: &str = "a secret without an end";

/// What the victim says first, and the stranger too: places beside either are the same then.
const COMMON: &str = "a secret, common quokka";

/// The server, its users and what they have.
pub struct World {
    server: TestServer,
    answering: JoinHandle<()>,
    pub attacker: Client,
    /// Another attacker, for the REST endpoint.
    pub accomplice: Client,
    pub anonymous: Client,
    /// A conversation of the attacker's own, with six messages.
    pub attackers_conversation: String,
    /// A reply in it.
    pub attackers_reply: String,
    victim: Client,
    /// Conversations that the victim has, and one that somebody has deleted.
    conversations: [String; 4],
    deleted: String,
    messages: Vec<String>,
    cursors: Cursors,
    deleted_cursors: Cursors,
}

/// Places that somebody saw after their first message was answered.
struct Cursors {
    conversations: String,
    messages: String,
    search: String,
    changes: String,
    reply: String,
    siblings: String,
    queue: String,
}

impl Cursors {
    async fn of(client: &Client) -> Self {
        let query = "{
          conversations { pageInfo { endCursor } nodes { messages { pageInfo { endCursor } nodes { id siblings { pageInfo { endCursor } } } } } }
          search(query: \"common\") { pageInfo { endCursor } }
          changes { pageInfo { endCursor } }
        }";
        let data = client.data(query, json!({})).await;
        let cursor = |list: &Value| list["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
        let messages = &data["conversations"]["nodes"][0]["messages"];
        Self {
            conversations: cursor(&data["conversations"]),
            messages: cursor(messages),
            search: cursor(&data["search"]),
            changes: cursor(&data["changes"]),
            siblings: cursor(&messages["nodes"][1]["siblings"]),
            reply: reply_cursor(client, &messages["nodes"][1]["id"]).await,
            queue: String::new(),
        }
    }

    fn get(&self, kind: Kind) -> String {
        let cursor = match kind {
            Kind::ConversationCursor => &self.conversations,
            Kind::MessageCursor => &self.messages,
            Kind::SearchCursor => &self.search,
            Kind::ChangeCursor => &self.changes,
            Kind::ReplyCursor => &self.reply,
            Kind::SiblingCursor => &self.siblings,
            Kind::QueueCursor => &self.queue,
            _ => unreachable!("{kind:?} is no cursor"),
        };
        cursor.clone()
    }
}

/// The last place in a reply that has ended.
async fn reply_cursor(client: &Client, reply: &Value) -> String {
    let query = "subscription($id: ID!) { replyProgress(messageId: $id) { ... on ReplyEnded { cursor } } }";
    let body = json!({ "query": query, "variables": { "id": reply } });
    let request = client.post("/graphql").json(&body).header(ACCEPT, "text/event-stream");
    let events = request.send().await.unwrap().text().await.unwrap();
    let (_, cursor) = events.split_once(r#""cursor":""#).unwrap();
    cursor.split_once('"').unwrap().0.to_owned()
}

/// Asks for a reply without an end and one that waits for it. Returns their conversation and the last place in its queue.
async fn queue(client: &Client) -> (String, String) {
    let running = client.send(HELD, json!({ "awaitReply": false })).await;
    let id = &running["conversation"]["id"];
    client.send("a secret in the queue", json!({ "conversationId": id, "awaitReply": false })).await;
    let query = "query($id: ID!) { conversation(id: $id) { queuedReplies { pageInfo { endCursor } } } }";
    let queue = client.data(query, json!({ "id": id })).await["conversation"]["queuedReplies"].take();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(id), text(&queue["pageInfo"]["endCursor"]))
}

const OVERVIEW: &str = "{
  viewer { assistantId instructions }
  trash: conversations(filter: { states: [TRASHED] }) { nodes { id title deletedAt messageCount } }
  conversations(first: 10) {
    totalCount
    edges {
      cursor
      node {
        id title createdAt updatedAt messageCount assistantId instructions
        messages(first: 20) {
          edges {
            cursor
            node {
              id role status content model position createdAt finishedAt progressCursor parent { id } failure { code }
              parts { ... on TextPart { text } ... on ReasoningPart { text } ... on ToolCall { id callId } }
            }
          }
        }
      }
    }
  }
}";

impl World {
    pub async fn build(database: &TestDatabase) -> Self {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(database, Settings { assistant, ..Settings::default() }).await;
        let answering = tokio::spawn(answer(script));
        let (attacker, victim) = (server.user("attacker"), server.user("victim"));
        let stranger = server.user("stranger");

        // The attacker's lists have places before and after those of the others.
        let first = attacker.send("one common", json!({})).await;
        let attackers_conversation = first["conversation"]["id"].as_str().unwrap().to_owned();
        for content in ["two common", "three common"] {
            attacker.send(content, json!({ "conversationId": attackers_conversation })).await;
        }
        let deleted = stranger.start(COMMON).await;
        let mut deleted_cursors = Cursors::of(&stranger).await;
        let delete =
            "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
        stranger.data(delete, json!({ "id": deleted })).await;
        let waiting;
        (waiting, deleted_cursors.queue) = queue(&stranger).await;
        stranger.data(delete, json!({ "id": waiting })).await;

        let plain = victim.start(COMMON).await;
        let mut cursors = Cursors::of(&victim).await;
        let keyed = victim.send("a secret under a key", json!({ "idempotencyKey": "key-of-victim" })).await;
        let running;
        (running, cursors.queue) = queue(&victim).await;
        let mark = "mutation($id: ID!) { updateConversation(input: { conversationId: $id, metadata: { word: \"quokka\" }, instructions: \"a secret\" }) { __typename } }";
        victim.data(mark, json!({ "id": plain })).await;
        let told = "mutation { configureViewer(input: { instructions: \"a secret\" }) { viewer { id } } }";
        victim.data(told, json!({})).await;
        let trashed = victim.start("a secret in the trash").await;
        victim.data(delete, json!({ "id": trashed })).await;
        let marked = attacker.start("later common").await;
        let rename = "mutation($id: ID!, $title: String!) {
          updateConversation(input: { conversationId: $id, title: $title }) { __typename }
        }";
        attacker.data(rename, json!({ "id": marked, "title": MARKER })).await;

        let keyed = keyed["conversation"]["id"].as_str().unwrap().to_owned();
        let mut world = Self {
            accomplice: server.user("accomplice"),
            anonymous: server.anonymous(),
            server,
            answering,
            attacker,
            attackers_conversation,
            attackers_reply: first["reply"]["id"].as_str().unwrap().to_owned(),
            victim,
            conversations: [plain, keyed, running, trashed],
            deleted,
            messages: Vec::new(),
            cursors,
            deleted_cursors,
        };
        world.wait_for_the_running_reply().await;
        let view = world.victims_view().await.0;
        for conversation in view["conversations"]["edges"].as_array().unwrap() {
            for message in conversation["node"]["messages"]["edges"].as_array().unwrap().iter().rev() {
                world.messages.insert(0, message["node"]["id"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(world.messages.len(), 8);
        world
    }

    async fn wait_for_the_running_reply(&self) {
        let running = &self.conversations[2];
        while self.victim.messages(running).await[1]["content"] == "" {
            tokio::task::yield_now().await;
        }
    }

    /// Somebody else.
    pub fn user(&self, name: &str) -> Client {
        self.server.user(name)
    }

    /// Everything that the victim sees, and the number that each of their writes raises.
    pub async fn victims_view(&self) -> (Value, i64) {
        use sea_orm::EntityTrait;
        let account = causerie::entity::account::Entity::find_by_id("victim".to_owned());
        let account =
            self.server.database().read(|connection| Box::pin(account.clone().one(connection))).await;
        let revision = account.unwrap().unwrap().revision;
        (self.victim.data(OVERVIEW, json!({})).await, revision)
    }

    /// The victim's values of a kind.
    pub fn victims(&self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::Conversation => self.conversations.to_vec(),
            Kind::Message => self.messages.clone(),
            Kind::User => vec!["victim".to_owned()],
            Kind::Key => vec!["key-of-victim".to_owned()],
            Kind::Word => vec!["quokka".to_owned()],
            cursor => vec![self.cursors.get(cursor)],
        }
    }

    /// As many values of a kind that name nothing.
    pub fn nothing(&self, kind: Kind) -> Vec<String> {
        let random = || Uuid::now_v7().to_string();
        match kind {
            Kind::Conversation => {
                self.conversations[1..].iter().map(|_| random()).chain([self.deleted.clone()]).collect()
            }
            Kind::Message => self.messages.iter().map(|_| random()).collect(),
            Kind::User => vec!["nobody".to_owned()],
            Kind::Key => vec!["key-of-nobody".to_owned()],
            Kind::Word => vec!["walrus".to_owned()],
            cursor => vec![self.deleted_cursors.get(cursor)],
        }
    }

    /// Looks for the victim's texts in an answer. What the attacker sent with the key is their own.
    pub fn assert_holds_no_secret(seen: &Seen, place: &str) {
        let text = format!("{seen:?}").replace("a secret under a key", "");
        assert!(!text.contains(SECRET) && !text.contains("victim"), "{place}: {text}");
    }

    /// The owner gets other answers in each place than the attacker does.
    pub async fn assert_calls_work_for_the_owner(&self) {
        let own = &self.conversations[0];
        for place in ["Query.conversation(id)", "Query.node(id)", "Query.messages(conversationId)"] {
            self.assert_shows_secret(place, own, own).await;
        }
        for place in ["Query.message(id)", "Subscription.replyProgress(messageId)"] {
            self.assert_shows_secret(place, own, &self.messages[1]).await;
        }
        self.assert_shows_secret("Query.search(query)", own, "quokka").await;
        self.assert_shows_secret("Query.search(filter.conversationId)", own, own).await;
        self.assert_shows_secret("Query.conversations(filter.metadata)", own, "quokka").await;
        self.assert_shows_secret("Mutation.sendMessage(input.idempotencyKey)", own, "key-of-victim").await;
        self.assert_shows_secret("Mutation.sendMessage(input.conversationId)", own, own).await;
        self.assert_shows_secret("Subscription.sendMessage(input.idempotencyKey)", own, "key-of-victim")
            .await;
        self.assert_shows_secret("Subscription.sendMessage(input.conversationId)", own, own).await;
        let deleted = self.owners_answer("Mutation.deleteConversation(input.conversationId)", own, own).await;
        assert!(deleted.body.contains("deletedConversationId"), "{}", deleted.body);
    }

    async fn assert_shows_secret(&self, place: &str, own: &str, value: &str) {
        let answer = self.owners_answer(place, own, value).await;
        assert!(answer.status == 200 && !answer.body.contains("errors"), "{place}: {}", answer.body);
        let shown = answer.body.contains(SECRET) || answer.body.contains(r#""__typename":"Conversation""#);
        assert!(shown, "{place}: {}", answer.body);
    }

    async fn owners_answer(&self, place: &str, own: &str, value: &str) -> Seen {
        let call = CALLS.iter().find(|call| call.place == place).unwrap();
        call.answer_to(self, &self.victim, own, value).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// Answers each message at once, but for those that are to be held.
async fn answer(script: ScriptedAssistant) {
    let mut held: Vec<ScriptedAttempt> = Vec::new();
    loop {
        let attempt = script.next().await;
        let said = attempt.prompt.turns.last().unwrap().content.clone();
        attempt.say(&format!("You said: {said}"));
        if said == HELD {
            held.push(attempt);
        } else {
            attempt.finish();
        }
    }
}
