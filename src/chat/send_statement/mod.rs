//! The usual `sendMessage` as part of one statement, on PostgreSQL.
//!
//! It does what the transaction in [`send`](super::send) does for a conversation with a title in which no reply is queued
//! or running, or for a new one, for a user who has an account, who may have another reply running and whose quotas
//! allow it, with a key that was not used before. Whatever else is the case, the transaction is run. Which assistant
//! answers, and how, is looked up in what the viewer may choose, which the statement is given.

mod sql;

use sea_orm::{DbBackend, FromQueryResult, QueryResult, Value};
use serde::Serialize;
use uuid::Uuid;

use super::new_message::{Moment, Sent, Slot};
use super::receipt::{Created, IdempotentRequest};
use super::{Chat, SendMessage, text};
use crate::assistant::estimate;
use crate::database::{BatchStatement, FastPath, now};
use crate::entity::conversation;
use crate::entity::message::{Parameters, Role, Status};
use crate::error::Error;
use crate::index::Entry;
use crate::reply::{Claim, Instructions, NewTurn, Preceding, ReplyPermit};
use crate::signal::Topic;
use crate::usage::Period;

/// What the statement is given of one request.
#[derive(Serialize)]
struct Row<'r> {
    user_id: &'r str,
    conversation_id: Uuid,
    idempotency_key: Option<&'r str>,
    request_digest: Option<String>,
    message_id: Uuid,
    reply_id: Uuid,
    content: &'r str,
    metadata: &'r str,
    text_tokens: u32,
    entry: &'r str,
    tokens: &'r str,
    asked_assistant_id: Option<&'r str>,
    asked_parameters: Option<&'r Parameters>,
    /// Whether what was said before need not be read.
    is_known: bool,
    /// Of a conversation that it starts.
    #[serde(flatten)]
    start: Option<Start>,
}

#[derive(Serialize)]
struct Start {
    title: String,
    title_key: String,
    title_entry: String,
    title_tokens: String,
}

/// Bytes as PostgreSQL reads them.
fn hexadecimal(bytes: &[u8]) -> String {
    let digits = |byte: &u8| format!("{byte:02x}");
    format!("\\x{}", bytes.iter().map(digits).collect::<String>())
}

impl Chat {
    /// The usual way to store `request`; `None` if it is not possible anyway.
    pub(super) fn usual_send(
        &self,
        request: &SendMessage,
        idempotent: Option<&IdempotentRequest>,
        entry: &Entry,
        created: Created,
    ) -> Option<FastPath<Sent>> {
        let (message, reply) = (created.message?, created.reply?);
        let choice = &request.choice;
        if self.database.backend() != DbBackend::Postgres
            || choice.assistant_id.as_deref().is_some_and(|id| self.assistant(id).is_none())
        {
            return None;
        }
        let permit = self.replies.spare_permit()?;
        let conversation = request.conversation_id;
        let is_known = conversation.is_none_or(|id| self.replies.has_history(self.user(), id));
        let row = Row {
            user_id: self.user(),
            conversation_id: conversation.unwrap_or_else(Uuid::now_v7),
            idempotency_key: idempotent.map(IdempotentRequest::key),
            request_digest: idempotent.map(IdempotentRequest::digest).map(|digest| hexadecimal(&digest)),
            message_id: message,
            reply_id: reply,
            content: &request.content,
            metadata: request.metadata.as_str(),
            text_tokens: estimate::turn(&request.content),
            entry: entry.text(),
            tokens: entry.tokens(),
            asked_assistant_id: choice.assistant_id.as_deref(),
            asked_parameters: choice.parameters.as_ref(),
            is_known,
            start: conversation.is_none().then(|| self.title(&request.content)),
        };
        let options = self.replies.options();
        let lease = i64::try_from(options.lease.as_millis()).unwrap_or(i64::MAX);
        let (plan, ledger) = (self.viewer.plan(), self.replies.ledger());
        let day = ledger.calendar.day(now());
        let common: [Value; sql::EXPECTATION - 2] = [
            self.replies.catalog().choices(plan, choice.parameters.as_ref()).as_ref().into(),
            i64::from(options.user_replies).into(),
            day.into(),
            ledger.calendar.start_of(day).into(),
            ledger.calendar.start_of(Period::Day.next(day)).into(),
            self.replies.restarts().into(),
            self.replies.server().into(),
            lease.into(),
        ];
        let names = ["seen.user_id", "seen.text_tokens"];
        let expectation = ledger.expectation(plan, names, day, sql::EXPECTATION);
        let sql = sql::send(row.start.is_some(), &expectation);
        let values = common.into_iter().chain(expectation.values).collect();
        let row = serde_json::to_string(&row).ok()?;
        let (chat, request) = (self.clone(), request.clone());
        Some(FastPath {
            statement: BatchStatement { sql, values },
            row,
            finish: Box::new(move |row| {
                let preceding = (!is_known).then(|| Preceding::from_row(row)).transpose()?;
                chat.usually_sent(request, [message, reply], permit, preceding, row)
            }),
        })
    }

    /// The title of a conversation that begins with `content`, and its entry in the search index.
    fn title(&self, content: &str) -> Start {
        let title = text::derive_title(content);
        let (title_key, entry) = (text::title_key(&title), Entry::of(self.user(), &title));
        let (title_entry, title_tokens) = (entry.text().to_owned(), entry.tokens().to_owned());
        Start { title, title_key, title_entry, title_tokens }
    }

    /// What was stored, from the conversation's row. The reply is generated.
    fn usually_sent(
        &self,
        request: SendMessage,
        [message, reply]: [Uuid; 2],
        permit: ReplyPermit,
        preceding: Option<Preceding>,
        row: &QueryResult,
    ) -> Result<Sent, Error> {
        let conversation = conversation::Model::from_query_result(row, "")?;
        let at = Moment { now: conversation.updated_at, revision: conversation.revision };
        let parent = row.try_get("", "tail")?;
        let slot = Slot { parent, position: conversation.last_position - 1, busy: false, active: true };
        let mut message = self.new_message(at, conversation.id, Some(message), &slot, Role::User);
        message.content = request.content;
        message.metadata = request.metadata.into_text();
        message.status = Status::Complete;
        message.finished_at = Some(at.now);
        let after = Slot { parent: Some(message.id), position: slot.position + 1, ..slot };
        let mut reply = self.new_message(at, conversation.id, Some(reply), &after, Role::Assistant);
        reply.assistant_id = row.try_get("", "assistant_id")?;
        reply.parameters = row.try_get("", "parameters")?;
        self.replies.lease_or_queue(&mut reply, Some(&permit), at.now);
        self.replies.signal(Topic::of_user(self.user()));
        let (text, instructions) = (message.content.clone(), Instructions::from_query_result(row, "")?);
        let turn = NewTurn { after: parent, text, instructions, preceding };
        self.replies.generate(Claim { reply: reply.clone(), permit, turn: Some(turn) });
        Ok(Sent { conversation, message, reply })
    }
}
