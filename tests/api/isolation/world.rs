//! A victim with secrets of every kind, an attacker with rows of their own, and values that name nothing.

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::call::{CALLS, Kind, Seen};
use crate::support::{Client, Puppet, Puppeteer, Settings, TestDatabase, TestServer};

/// Texts of the victim's that nobody else may see.
const SECRET: &str = "a secret";

/// What a message says whose reply is to go on for ever.
const HELD: &str = "a secret without an end";

/// The server, its users and what they have.
pub struct World {
    server: TestServer,
    answering: JoinHandle<()>,
    pub attacker: Client,
    /// Another attacker, for the REST endpoint.
    pub accomplice: Client,
    /// A conversation of the attacker's own, with six messages.
    pub attackers_conversation: String,
    victim: Client,
    /// Conversations that the victim has, and one that somebody has deleted.
    conversations: [String; 3],
    deleted: String,
    messages: Vec<String>,
    conversation_cursor: String,
    deleted_cursor: String,
    message_cursor: String,
    deleted_message_cursor: String,
}

const OVERVIEW: &str = "{
  conversations(first: 100) {
    totalCount
    edges {
      cursor
      node {
        id title createdAt updatedAt messageCount
        messages(first: 100) {
          edges {
            cursor
            node { id role status content model position createdAt finishedAt parent { id } failure { code } }
          }
        }
      }
    }
  }
}";

impl World {
    pub async fn build(database: &TestDatabase) -> Self {
        let (assistant, puppeteer) = Puppeteer::new();
        let server = TestServer::with(database, Settings { assistant, ..Settings::default() }).await;
        let answering = tokio::spawn(answer(puppeteer));
        let (attacker, victim) = (server.user("attacker"), server.user("victim"));
        let stranger = server.user("stranger");

        // The attacker's list has places before and after those of the others.
        let attackers_conversation = attacker.start("one").await;
        for content in ["two", "three"] {
            attacker.send(content, json!({ "conversationId": attackers_conversation })).await;
        }
        let deleted = stranger.start("gone").await;
        let deleted_cursor = first_cursor(&stranger).await;
        let deleted_message_cursor = last_message_cursor(&stranger).await;
        let delete =
            "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) { __typename } }";
        stranger.data(delete, json!({ "id": deleted })).await;

        let plain = victim.start("a secret, answered").await;
        let conversation_cursor = first_cursor(&victim).await;
        let message_cursor = last_message_cursor(&victim).await;
        let keyed = victim.send("a secret under a key", json!({ "idempotencyKey": "key-of-victim" })).await;
        let running = victim.send(HELD, json!({ "awaitReply": false })).await;
        let running = running["conversation"]["id"].as_str().unwrap().to_owned();
        victim.send("a secret in the queue", json!({ "conversationId": running, "awaitReply": false })).await;
        attacker.start("later").await;

        let keyed = keyed["conversation"]["id"].as_str().unwrap().to_owned();
        let mut world = Self {
            accomplice: server.user("accomplice"),
            server,
            answering,
            attacker,
            attackers_conversation,
            victim,
            conversations: [plain, keyed, running],
            deleted,
            messages: Vec::new(),
            conversation_cursor,
            deleted_cursor,
            message_cursor,
            deleted_message_cursor,
        };
        world.wait_for_the_running_reply().await;
        let view = world.victims_view().await.0;
        for conversation in view["conversations"]["edges"].as_array().unwrap() {
            for message in conversation["node"]["messages"]["edges"].as_array().unwrap() {
                world.messages.push(message["node"]["id"].as_str().unwrap().to_owned());
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

    /// Everything that the victim sees, and the number that each of their writes raises.
    pub async fn victims_view(&self) -> (Value, i64) {
        use sea_orm::EntityTrait;
        let account =
            |connection| causerie::entity::account::Entity::find_by_id("victim".to_owned()).one(connection);
        let revision = self.server.database().read(account).await.unwrap().unwrap().revision;
        (self.victim.data(OVERVIEW, json!({})).await, revision)
    }

    /// The victim's values of a kind.
    pub fn victims(&self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::Conversation => {
                self.conversations.iter().chain([&self.conversations[0]]).cloned().collect()
            }
            Kind::Message => self.messages.clone(),
            Kind::User => vec!["victim".to_owned()],
            Kind::ConversationCursor => vec![self.conversation_cursor.clone()],
            Kind::MessageCursor => vec![self.message_cursor.clone()],
            Kind::Key => vec!["key-of-victim".to_owned()],
        }
    }

    /// As many values of a kind that name nothing.
    pub fn nothing(&self, kind: Kind) -> Vec<String> {
        let random = || Uuid::now_v7().to_string();
        match kind {
            Kind::Conversation => {
                self.conversations.iter().map(|_| random()).chain([self.deleted.clone()]).collect()
            }
            Kind::Message => self.messages.iter().map(|_| random()).collect(),
            Kind::User => vec!["nobody".to_owned()],
            Kind::ConversationCursor => vec![self.deleted_cursor.clone()],
            Kind::MessageCursor => vec![self.deleted_message_cursor.clone()],
            Kind::Key => vec!["key-of-nobody".to_owned()],
        }
    }

    /// Looks for the victim's texts in an answer. What the attacker sent with the key is their own.
    pub fn assert_holds_no_secret(&self, seen: &Seen, place: &str) {
        let text = format!("{seen:?}").replace("a secret under a key", "");
        assert!(!text.contains(SECRET) && !text.contains("victim"), "{place}: {text}");
    }

    /// The owner gets other answers in each place than the attacker does.
    pub async fn assert_calls_work_for_the_owner(&self) {
        let own = &self.conversations[0];
        for place in ["Query.conversation(id)", "Query.node(id)", "Query.messages(conversationId)"] {
            self.assert_shows_secret(place, own, own).await;
        }
        self.assert_shows_secret("Query.message(id)", own, &self.messages[0]).await;
        self.assert_shows_secret("Mutation.sendMessage(input.idempotencyKey)", own, "key-of-victim").await;
        self.assert_shows_secret("Mutation.sendMessage(input.conversationId)", own, own).await;
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

async fn first_cursor(client: &Client) -> String {
    let data = client.data("{ conversations(first: 1) { edges { cursor } } }", json!({})).await;
    data["conversations"]["edges"][0]["cursor"].as_str().unwrap().to_owned()
}

async fn last_message_cursor(client: &Client) -> String {
    let query = "{ conversations(first: 1) { nodes { messages(last: 1) { edges { cursor } } } } }";
    let data = client.data(query, json!({})).await;
    data["conversations"]["nodes"][0]["messages"]["edges"][0]["cursor"].as_str().unwrap().to_owned()
}

/// Answers each message at once, but for those that are to be held.
async fn answer(puppeteer: Puppeteer) {
    let mut held: Vec<Puppet> = Vec::new();
    loop {
        let puppet = puppeteer.next().await;
        let said = puppet.prompt.turns.last().unwrap().content.clone();
        puppet.say(&format!("You said: {said}"));
        if said == HELD {
            held.push(puppet);
        } else {
            puppet.finish();
        }
    }
}
