//! Whether what everybody was told is what the database holds, once all is quiet.

use std::collections::{HashMap, HashSet};

use causerie::entity::message::{self, Role, Status, ToolCall};
use causerie::entity::{conversation, deleted_message};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};

use crate::journal::{Fate, Journal, Read, Replica, SeenMessage};
use crate::parts::Parts;
use crate::provider::Work;
use crate::world::name_of;

/// All rows, and what was told of them.
pub struct Checker<'a> {
    journal: &'a Journal,
    works: Vec<Work>,
    conversations: HashMap<String, conversation::Model>,
    messages: HashMap<String, message::Model>,
    /// Messages that were deleted.
    tombstones: HashSet<String>,
}

impl<'a> Checker<'a> {
    /// Reads all rows.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn read(
        connection: &DatabaseConnection,
        journal: &'a Journal,
        works: Vec<Work>,
    ) -> Result<Self, DbErr> {
        let conversations = conversation::Entity::find().all(connection).await?;
        let messages = message::Entity::find().all(connection).await?;
        let tombstones = deleted_message::Entity::find().all(connection).await?;
        Ok(Self::of(journal, works, conversations, messages, tombstones))
    }

    /// What a checker would have read.
    pub fn of(
        journal: &'a Journal,
        works: Vec<Work>,
        conversations: Vec<conversation::Model>,
        messages: Vec<message::Model>,
        tombstones: Vec<deleted_message::Model>,
    ) -> Self {
        Self {
            journal,
            works,
            conversations: conversations.into_iter().map(|row| (row.id.to_string(), row)).collect(),
            messages: messages.into_iter().map(|row| (row.id.to_string(), row)).collect(),
            tombstones: tombstones.into_iter().map(|row| row.id.to_string()).collect(),
        }
    }

    /// Notes every broken promise in the journal.
    pub fn check(&self) {
        self.check_sent();
        self.check_paths();
        self.messages
            .values()
            .filter(|row| row.role == Role::Assistant)
            .for_each(|row| self.check_reply(row));
        self.journal.read().iter().for_each(|read| self.check_read(read));
        self.journal.replicas().iter().for_each(|replica| self.check_replica(replica));
    }

    /// The numbers of the works that complete replies hold.
    pub fn complete(&self) -> Vec<usize> {
        let complete = |row: &&message::Model| row.role == Role::Assistant && row.status == Status::Complete;
        self.messages.values().filter(complete).filter_map(number_of).collect()
    }

    fn broken(&self, what: &str) {
        self.journal.violation(what);
    }

    fn is_deleted(&self, conversation: &str) -> bool {
        self.conversations.get(conversation).is_some_and(|row| row.deleted_at.is_some())
    }

    /// What was acknowledged is there once, as it was sent; what was refused is not there.
    fn check_sent(&self) {
        let mut by_content: HashMap<&str, Vec<&message::Model>> = HashMap::new();
        for row in self.messages.values().filter(|row| row.role == Role::User) {
            by_content.entry(&row.content).or_default().push(row);
        }
        let all = self.journal.all_sent();
        for (key, sent) in &all {
            let rows = by_content.get(sent.content.as_str()).map_or(&[][..], Vec::as_slice);
            match &sent.fate {
                // In the trash it is there, and then it is not: but nowhere else.
                Fate::Stored(stored) if rows.is_empty() && self.is_deleted(&stored.conversation) => {}
                Fate::Stored(stored) if rows.is_empty() && self.tombstones.contains(&stored.message) => {}
                Fate::Stored(stored) => {
                    let reply = self.messages.get(&stored.reply);
                    let follows = reply.is_some_and(|reply| {
                        reply.role == Role::Assistant
                            && reply.parent_id.is_some_and(|id| id.to_string() == stored.message)
                    });
                    let fits = |row: &message::Model| {
                        row.id.to_string() == stored.message
                            && row.conversation_id.to_string() == stored.conversation
                            && row.user_id == name_of(sent.user)
                    };
                    if rows.len() != 1 || !rows.iter().all(|row| fits(row)) || !follows {
                        let count = rows.len();
                        self.broken(&format!(
                            "{key} was acknowledged as {stored:?}, and is there {count} times"
                        ));
                    }
                }
                Fate::Refused if !rows.is_empty() => self.broken(&format!("{key} was refused, and is there")),
                Fate::Unknown if rows.len() > 1 => {
                    self.broken(&format!("{key} is there {} times", rows.len()));
                }
                Fate::Refused | Fate::Unknown => {}
            }
        }
        let known: HashSet<&str> = all.values().map(|sent| sent.content.as_str()).collect();
        by_content.keys().filter(|content| !known.contains(*content)).for_each(|content| {
            self.broken(&format!("nobody sent {content:?}"));
        });
    }

    /// Each active path is 1, 2, 3 … without gaps, question and answer by turns, each below the one before.
    fn check_paths(&self) {
        let mut paths: HashMap<String, Vec<&message::Model>> = HashMap::new();
        for row in self.messages.values() {
            let path = paths.entry(row.conversation_id.to_string()).or_default();
            if row.active {
                path.push(row);
            }
        }
        for (id, path) in &mut paths {
            path.sort_by_key(|row| row.position);
            let Some(conversation) = self.conversations.get(id) else { continue };
            if i64::try_from(path.len()) != Ok(conversation.last_position) {
                let (length, last) = (path.len(), conversation.last_position);
                self.broken(&format!("conversation {id} counts {last} messages and shows {length}"));
            }
            let mut before = None;
            for (row, position) in path.iter().zip(1..) {
                let role = if position % 2 == 1 { Role::User } else { Role::Assistant };
                if (row.position, row.role, row.parent_id) != (position, role, before) {
                    let (there, parent) = (row.position, row.parent_id);
                    self.broken(&format!(
                        "conversation {id} has at {position}: position {there}, {:?}, below {parent:?}",
                        row.role
                    ));
                }
                before = Some(row.id);
            }
        }
    }

    /// A reply has ended, and holds one text of the assistant's: whole, or as far as it came.
    fn check_reply(&self, row: &message::Model) {
        if !row.status.is_terminal() {
            self.broken(&format!("reply {} is {:?} for ever", row.id, row.status));
        }
        self.journal.count(match row.status {
            Status::Complete => "replies complete",
            Status::Stopped => "replies stopped",
            _ => "replies failed",
        });
        if row.content.is_empty() {
            if row.status == Status::Complete {
                self.broken(&format!("reply {} is complete without a word", row.id));
            }
            return;
        }
        let work = number_of(row).and_then(|number| self.works.get(number));
        let is_whole = work.is_some_and(|work| work.text == row.content);
        let is_part = work.is_some_and(|work| work.text.starts_with(&row.content));
        if !is_part || (row.status == Status::Complete && !is_whole) {
            let (id, status, content) = (row.id, row.status, &row.content);
            self.broken(&format!("reply {id} is {status:?}, but no text of the assistant's: {content:?}"));
        }
        let parts = Parts::of_row(row, |_, call| call.call_id.clone());
        let are_parts = work.is_some_and(|work| match row.status {
            Status::Complete => parts == work.parts,
            _ => parts.is_start_of(&work.parts),
        });
        if !are_parts {
            let (id, status) = (row.id, row.status);
            self.broken(&format!("reply {id} is {status:?}, but no parts of the assistant's: {parts:?}"));
        }
        let question = row.parent_id.and_then(|id| self.messages.get(&id.to_string()));
        let said = work.map_or("", |work| work.said.as_str());
        if !question.is_some_and(|question| said.ends_with(&question.content)) {
            self.broken(&format!("reply {} answers {said:?}, not its question", row.id));
        }
    }

    /// A reader's text is the stored one, and so are the parts.
    fn check_read(&self, read: &Read) {
        match self.messages.get(&read.reply) {
            Some(row) if row.user_id != name_of(read.user) => {
                self.broken(&format!("user {} read reply {} of {}", read.user, row.id, row.user_id));
            }
            Some(row) if row.content != read.text && !self.is_deleted(&read.conversation) => {
                let (has, is) = (&read.text, &row.content);
                self.broken(&format!("a reader of reply {} has {has:?}, the database {is:?}", row.id));
            }
            Some(row) if !self.is_deleted(&read.conversation) => {
                let name =
                    |index, call: &ToolCall| format!("{} {}", ToolCall::id(row.id, index), call.call_id);
                let (has, is) = (&read.parts, Parts::of_row(row, name));
                if *has != is {
                    self.broken(&format!("a reader of reply {} has the parts {has:?}, it is {is:?}", row.id));
                }
            }
            None if !self.is_deleted(&read.conversation) && !self.tombstones.contains(&read.reply) => {
                self.broken(&format!("reply {} is gone", read.reply));
            }
            _ => {}
        }
    }

    /// Who follows the changes has all rows as they are, and no others.
    fn check_replica(&self, replica: &Replica) {
        let user = name_of(replica.user);
        let conversations: HashMap<String, Option<String>> = self
            .conversations
            .iter()
            .filter(|(_, row)| row.user_id == user && row.deleted_at.is_none())
            .map(|(id, row)| (id.clone(), row.title.clone()))
            .collect();
        self.compare(&user, "conversation", &conversations, &replica.conversations);
        let messages: HashMap<String, SeenMessage> = self
            .messages
            .iter()
            .filter(|(_, row)| row.user_id == user && !self.is_deleted(&row.conversation_id.to_string()))
            .map(|(id, row)| {
                let seen = SeenMessage {
                    conversation: row.conversation_id.to_string(),
                    status: format!("{:?}", row.status).to_uppercase(),
                    content: row.content.clone(),
                    position: row.position,
                    parent: row.parent_id.map(|id| id.to_string()),
                };
                (id.clone(), seen)
            })
            .collect();
        // Of a conversation that came back a device has read what is shown.
        let unseen = |id: &String, seen: &SeenMessage| {
            replica.restored.contains(&seen.conversation)
                && self.messages.get(id).is_some_and(|row| !row.active)
                && !replica.messages.contains_key(id)
        };
        let messages = messages.into_iter().filter(|(id, seen)| !unseen(id, seen)).collect();
        self.compare(&user, "message", &messages, &replica.messages);
        for id in conversations.keys() {
            let shown = self.shown(id);
            let path = replica.path(id);
            // What was not shown when it came back the device would have to read.
            let unknown = path.is_none() && replica.restored.contains(id);
            if !unknown && path.as_ref() != Some(&shown.iter().map(String::as_str).collect()) {
                self.broken(&format!("{user}'s changes show {path:?} of conversation {id}, it is {shown:?}"));
            }
        }
    }

    /// The ids of a conversation's active path, last message first.
    fn shown(&self, conversation: &str) -> Vec<String> {
        let active = |row: &&message::Model| row.active && row.conversation_id.to_string() == conversation;
        let mut rows: Vec<_> = self.messages.values().filter(active).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.position));
        rows.into_iter().map(|row| row.id.to_string()).collect()
    }

    fn compare<T: PartialEq + std::fmt::Debug>(
        &self,
        user: &str,
        kind: &str,
        stored: &HashMap<String, T>,
        learnt: &HashMap<String, T>,
    ) {
        for (id, row) in stored {
            if learnt.get(id) != Some(row) {
                let known = learnt.get(id);
                self.broken(&format!("{user}'s changes say of {kind} {id} {known:?}, it is {row:?}"));
            }
        }
        for id in learnt.keys().filter(|id| !stored.contains_key(*id)) {
            self.broken(&format!("{user}'s changes tell of {kind} {id}, which is not there"));
        }
    }
}

/// The number of the work that a reply holds.
fn number_of(row: &message::Model) -> Option<usize> {
    row.content.strip_prefix('#').and_then(|rest| rest.split(' ').next()?.parse().ok())
}
