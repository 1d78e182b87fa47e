//! Writing messages: again and again until they are acknowledged, and sometimes twice at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::Trouble;
use crate::assistants;
use crate::device::{Device, is_terminal};
use crate::events::Said;
use crate::journal::{Fate, Read, Sent, Stored};
use crate::reader;
use crate::world::{User, World};

pub const SEND: &str = "mutation Send($input: SendMessageInput!) { sendMessage(input: $input) {
  conversation { id } message { id content } reply { id status } } }";
const EDIT: &str = "mutation Edit($input: EditMessageInput!) { editMessage(input: $input) {
  conversation { id } message { id content } reply { id status } } }";
const REGENERATE: &str =
    "mutation Regenerate($input: RegenerateReplyInput!) { regenerateReply(input: $input) {
  conversation { id } reply { id status } } }";
/// How many of a user's replies its devices remember to stop and to retry.
const MEMORY: usize = 12;

impl Device {
    /// Sends a message, again and again until it is answered, in a conversation that is there or in a new one.
    pub async fn send(&mut self, existing: bool) {
        let known = existing.then(|| self.pick_conversation()).flatten();
        let target = json!({ "conversationId": known });
        self.write(SEND, "sendMessage", target, known.is_none()).await;
    }

    /// Says something else in place of what was said.
    pub async fn edit(&mut self) {
        let Some(message) = self.pick(|known| &known.messages) else { return };
        self.write(EDIT, "editMessage", json!({ "messageId": message }), false).await;
    }

    async fn write(&mut self, operation: &'static str, field: &'static str, mut input: Value, starts: bool) {
        self.written += 1;
        let content = format!("@user-{}:{}:{} says something", self.user, self.number, self.written);
        let key = format!("device-{}-{}", self.number, self.written);
        let awaits = self.chance.u8(0..8) == 0;
        input["content"] = content.as_str().into();
        input["idempotencyKey"] = key.as_str().into();
        input["awaitReply"] = awaits.into();
        input["onBusy"] = self.pick_on_busy().into();
        input["assistantId"] = self.pick_assistant();
        let variables = json!({ "input": &input });
        if self.chance.u8(0..12) == 0 {
            self.send_twin((operation, field), &key, &content, variables.clone());
        }
        let (answer, doubt) = self.insist(operation, variables, awaits).await;
        // A message that is stored may be deleted before its reply has ended: who waits is then told so.
        let fate = fate(&answer, field, doubt || awaits);
        if let (Fate::Stored(stored), Ok(answer)) = (&fate, &answer) {
            self.world.journal.count("messages acknowledged");
            let reply = &answer[field]["reply"];
            if awaits && !is_terminal(&reply["status"]) {
                self.world.journal.violation(&format!("awaitReply answered with {reply}"));
            }
            self.remember(stored, starts, &(field, input));
        }
        if fate == Fate::Refused {
            self.world.journal.count("messages refused");
        }
        self.world.journal.sent(&key, Sent { user: self.user, content, fate });
    }

    /// Asks for another version of a reply.
    pub async fn regenerate(&mut self) {
        let Some(id) = self.pick(|known| &known.replies) else { return };
        self.written += 1;
        let key = format!("device-{}-{}", self.number, self.written);
        let on_busy = self.pick_on_busy();
        let assistant = self.pick_assistant();
        let input = json!({ "messageId": id, "idempotencyKey": key, "awaitReply": false, "onBusy": on_busy,
            "assistantId": assistant });
        let (answer, _) = self.insist(REGENERATE, json!({ "input": &input }), false).await;
        if let Ok(answer) = answer {
            self.world.journal.count("regenerations");
            let id = |row: &str| answer["regenerateReply"][row]["id"].as_str().unwrap_or_default().to_owned();
            let (conversation, reply) = (id("conversation"), id("reply"));
            let request = Some(("regenerateReply", input));
            let read = Read { user: self.user, conversation, reply, request, ..Read::default() };
            reader::spawn(&self.world, read, self.chance.fork());
        }
    }

    /// The id of an assistant, or that of none.
    fn pick_assistant(&mut self) -> Value {
        let chosen = self.chance.u8(0..3) == 0;
        if chosen { self.chance.choice(assistants::IDS).into() } else { Value::Null }
    }

    fn pick_on_busy(&mut self) -> &'static str {
        match self.chance.u8(0..20) {
            0..10 => "ENQUEUE",
            10..13 => "REJECT",
            13..17 => "INTERRUPT",
            _ => "ROLLBACK",
        }
    }

    /// The same request at the same time, by another way.
    fn send_twin(
        &mut self,
        (operation, field): (&'static str, &'static str),
        key: &str,
        content: &str,
        variables: Value,
    ) {
        let (world, user) = (self.world.clone(), self.user);
        let (key, content) = (key.to_owned(), content.to_owned());
        let url = world.fleet.any(&mut self.chance, None);
        world.journal.count("messages sent twice at once");
        let streams = self.chance.bool();
        self.world.tasks.clone().spawn(async move {
            let patience = Duration::from_secs(8);
            let answer = if streams {
                subscribe(&world, &world.users[user], &url, operation, variables, patience).await
            } else {
                world.run(&world.users[user], &url, operation, variables, patience).await
            };
            world.journal.sent(&key, Sent { user, content, fate: fate(&answer, field, true) });
        });
    }

    fn remember(&mut self, stored: &Stored, started: bool, request: &(&'static str, Value)) {
        {
            let mut known = self.user().known.lock().unwrap();
            if started {
                known.conversations.push(stored.conversation.clone());
            }
            known.replies.push(stored.reply.clone());
            known.messages.push(stored.message.clone());
            if known.replies.len() > MEMORY {
                known.replies.remove(0);
                known.messages.remove(0);
            }
        }
        for _ in 0..[0, 1, 1, 2][self.chance.usize(0..4)] {
            let read = Read {
                user: self.user,
                conversation: stored.conversation.clone(),
                reply: stored.reply.clone(),
                request: Some(request.clone()),
                ..Read::default()
            };
            reader::spawn(&self.world, read, self.chance.fork());
        }
    }
}

/// Sends by the subscription that has the name of the mutation in `operation`, and leaves once the message is stored.
async fn subscribe(
    world: &World,
    user: &User,
    url: &str,
    operation: &str,
    variables: Value,
    patience: Duration,
) -> Result<Value, Trouble> {
    let operation = operation.replacen("mutation", "subscription", 1);
    let operation = operation
        .replace("conversation {", "... on ReplyRequested { conversation {")
        .replace("status } } }", "status } } } }");
    let told = async {
        let mut events = world.api.subscribe(url, &user.token, &operation, variables, patience).await?;
        match events.next(patience).await? {
            Said::Data(data) => Ok(data),
            Said::Complete | Said::Silence => Err(Trouble::Lost("no event".to_owned())),
        }
    };
    let told = told.await;
    match &told {
        Ok(data) => {
            world.journal.count("messages sent by subscriptions");
            world.check_owner(user, data);
        }
        Err(trouble) => world.check_trouble(trouble, &operation),
    }
    told
}

/// What an answer says of a message; `doubt` tells whether it may be stored though the answer is a refusal.
pub fn fate(answer: &Result<Value, Trouble>, field: &str, doubt: bool) -> Fate {
    match answer {
        Ok(answer) => {
            let id = |row: &str| answer[field][row]["id"].as_str().unwrap_or_default().to_owned();
            Fate::Stored(Stored {
                conversation: id("conversation"),
                message: id("message"),
                reply: id("reply"),
            })
        }
        Err(Trouble::Refused(_)) if !doubt => Fate::Refused,
        Err(_) => Fate::Unknown,
    }
}
