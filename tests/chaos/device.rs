//! A device on which a user writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api::Trouble;
use crate::world::{Known, User, World};
use crate::writing::SEND;

const STOP: &str = "mutation Stop($id: ID!) { stopReply(input: { messageId: $id }) { reply { id status } } }";
const RETRY: &str = "mutation Retry($id: ID!) {
  retryReply(input: { messageId: $id, awaitReply: false }) { reply { id status } } }";
const RENAME: &str = "mutation Rename($id: ID!, $title: String!) {
  updateConversation(input: { conversationId: $id, title: $title }) { conversation { id title } } }";
const RESTORE: &str = "mutation Restore($id: ID!) {
  restoreConversation(input: { conversationId: $id }) { conversation { id title } } }";
const CREATE: &str = "mutation Create($title: String!) {
  createConversation(input: { title: $title }) { conversation { id title } } }";
const ACTIVATE: &str = "mutation Activate($id: ID!) {
  activateMessage(input: { messageId: $id }) { message { id content } } }";
const REMOVE: &str = "mutation Remove($id: ID!) {
  deleteMessage(input: { messageId: $id }) { deletedMessageId } }";
const DELETE: &str = "mutation Delete($id: ID!) {
  deleteConversation(input: { conversationId: $id }) { deletedConversationId } }";
const PEEK: &str = "query Peek($id: ID!) {
  message(id: $id) { id content } conversation(id: $id) { id title } node(id: $id) { id } }";

/// How long a request is repeated before its client gives up, times in which the database is disturbed left out: a reply
/// that is waited for may be handed on several times meanwhile.
const PERSISTENCE: Duration = Duration::from_secs(45);

/// A device on which a user writes.
pub struct Device {
    pub world: Arc<World>,
    pub user: usize,
    pub number: usize,
    pub chance: fastrand::Rng,
    pub written: u64,
}

impl Device {
    pub fn user(&self) -> &User {
        &self.world.users[self.user]
    }

    /// Does one thing after another until the run ends.
    pub async fn live(mut self) {
        let ending = self.world.ending.clone();
        while !ending.is_cancelled() {
            match self.chance.u8(0..100) {
                0..22 => self.send(false).await,
                22..56 => self.send(true).await,
                56..61 => self.edit().await,
                61..65 => self.regenerate().await,
                65..73 => self.stop().await,
                73..80 => self.retry().await,
                80..85 => self.rename().await,
                85..88 => self.activate().await,
                88..89 => self.remove().await,
                89..93 => self.delete().await,
                93..97 => self.restore().await,
                _ => self.trespass().await,
            }
            sleep(Duration::from_millis(self.chance.u64(10..250))).await;
        }
    }

    async fn stop(&mut self) {
        let Some(id) = self.pick(|known| &known.replies) else { return };
        let (answer, _) = self.insist(STOP, json!({ "id": id }), true).await;
        if let Ok(answer) = answer {
            self.world.journal.count("stops");
            let reply = &answer["stopReply"]["reply"];
            if !is_terminal(&reply["status"]) {
                self.world.journal.violation(&format!("stopReply answered with {reply}"));
            }
        }
    }

    async fn retry(&mut self) {
        let Some(id) = self.pick(|known| &known.replies) else { return };
        if self.insist(RETRY, json!({ "id": id }), false).await.0.is_ok() {
            self.world.journal.count("retries");
        }
    }

    async fn rename(&mut self) {
        let Some(id) = self.pick_conversation() else { return };
        self.rename_to_anything(&id).await;
    }

    fn title(&mut self) -> String {
        format!("@user-{} title {}", self.user, self.chance.u32(..))
    }

    async fn rename_to_anything(&mut self, id: &str) {
        let title = self.title();
        if self.insist(RENAME, json!({ "id": id, "title": title }), false).await.0.is_ok() {
            self.world.journal.count("renames");
        }
    }

    async fn delete(&mut self) {
        let id = {
            let mut known = self.world.users[self.user].known.lock().unwrap();
            let count = known.conversations.len();
            if count < 3 {
                return;
            }
            let conversation = known.conversations.remove(self.chance.usize(0..count));
            known.deleted.push(conversation.clone());
            conversation
        };
        if self.insist(DELETE, json!({ "id": id }), false).await.0.is_ok() {
            self.world.journal.count("deletions");
        }
    }

    /// Takes a conversation out of the trash. Often it changes again before anybody may have heard of it, with much
    /// else in between.
    async fn restore(&mut self) {
        let Some(id) = self.pick(|known| &known.deleted) else { return };
        if self.insist(RESTORE, json!({ "id": id }), false).await.0.is_err() {
            return;
        }
        self.world.journal.count("restorations");
        {
            let mut known = self.user().known.lock().unwrap();
            if !known.conversations.contains(&id) {
                known.conversations.push(id.clone());
            }
        }
        for _ in 0..self.chance.usize(0..4) {
            let title = self.title();
            let _ = self.insist(CREATE, json!({ "title": title }), false).await;
        }
        if self.chance.bool() {
            self.rename_to_anything(&id).await;
        }
    }

    /// Shows another branch.
    async fn activate(&mut self) {
        let Some(id) = self.pick(|known| &known.messages) else { return };
        if self.insist(ACTIVATE, json!({ "id": id }), false).await.0.is_ok() {
            self.world.journal.count("activations");
        }
    }

    /// Deletes a message, and with it all that follows.
    async fn remove(&mut self) {
        let Some(id) = self.pick(|known| &known.messages) else { return };
        self.user().known.lock().unwrap().removed.push(id.clone());
        if self.insist(REMOVE, json!({ "id": id }), false).await.0.is_ok() {
            self.world.journal.count("messages deleted");
        }
    }

    /// Tries somebody else's ids.
    async fn trespass(&mut self) {
        let other = (self.user + self.chance.usize(1..self.world.users.len())) % self.world.users.len();
        let (id, is_reply) = {
            let known = self.world.users[other].known.lock().unwrap();
            let reply = self.chance.choice(&known.replies).cloned();
            let conversation = self.chance.choice(&known.conversations).cloned();
            match (reply, conversation) {
                (Some(reply), Some(conversation)) if self.chance.bool() => (conversation, reply.is_empty()),
                (Some(reply), _) => (reply, true),
                _ => return,
            }
        };
        self.world.journal.count("trespasses");
        let send = json!({ "input": { "conversationId": id, "content": "mine", "awaitReply": false } });
        let (operation, variables) = match (is_reply, self.chance.u8(0..3)) {
            (_, 0) => (PEEK, json!({ "id": id })),
            (true, 1) => (STOP, json!({ "id": id })),
            (true, _) => (RETRY, json!({ "id": id })),
            (false, 1) => (DELETE, json!({ "id": id })),
            (false, _) => (SEND, send),
        };
        let seen = match self.insist(operation, variables, false).await.0 {
            Ok(answer) => {
                answer.as_object().is_some_and(|fields| fields.values().any(|value| !value.is_null()))
            }
            Err(Trouble::Refused(code)) => code != "NOT_FOUND",
            Err(_) => false,
        };
        if seen {
            self.world.journal.violation(&format!("user {} could use user {other}'s id {id}", self.user));
        }
    }

    /// Asks one server after another until one answers. Tells also whether an attempt was lost on the way, of which
    /// nobody knows what has become, or may still become.
    pub async fn insist(
        &mut self,
        operation: &str,
        variables: Value,
        slow: bool,
    ) -> (Result<Value, Trouble>, bool) {
        let began = Instant::now();
        let mut doubt = false;
        let mut last: Option<String> = None;
        loop {
            let url = self.world.fleet.any(&mut self.chance, last.as_deref());
            let patience = if slow { 4000..9000 } else { 600..3500 };
            let patience = Duration::from_millis(self.chance.u64(patience));
            let answer = self.world.run(self.user(), &url, operation, variables.clone(), patience).await;
            match answer {
                Err(Trouble::Lost(_) | Trouble::Unavailable)
                    if self.world.journal.calm_within(began, Instant::now()) < PERSISTENCE =>
                {
                    self.world.journal.count("requests repeated");
                    doubt = true;
                    last = Some(url);
                    sleep(Duration::from_millis(self.chance.u64(20..300))).await;
                }
                Err(Trouble::Lost(_) | Trouble::Unavailable) => {
                    let what = operation.lines().next().unwrap_or_default();
                    let violation = format!("in {:?} no server has answered {what}", began.elapsed());
                    self.world.journal.violation(&violation);
                    return (answer, true);
                }
                answer => return (answer, doubt),
            }
        }
    }

    pub fn pick_conversation(&mut self) -> Option<String> {
        let known = self.world.users[self.user].known.lock().unwrap();
        // The newest are the busiest.
        let newest = known.conversations.len().saturating_sub(6);
        self.chance.choice(&known.conversations[newest..]).cloned()
    }

    pub fn pick(&mut self, of: fn(&Known) -> &Vec<String>) -> Option<String> {
        let known = self.world.users[self.user].known.lock().unwrap();
        self.chance.choice(of(&known)).cloned()
    }
}

pub fn is_terminal(status: &Value) -> bool {
    matches!(status.as_str(), Some("COMPLETE" | "STOPPED" | "FAILED"))
}
