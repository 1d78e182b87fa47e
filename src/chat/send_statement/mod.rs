//! The usual `sendMessage` as one statement, on PostgreSQL.
//!
//! It does what the transaction in [`send`](super::send) does for a conversation with a title in which no reply is queued
//! or running, or for a new one, for a user who has an account, who may have another reply running and whose quotas
//! allow it, with a key that was not used before. Whatever else is the case, the transaction is run. Which assistant
//! answers, and how, is looked up in what the viewer may choose, which the statement is given.

mod sql;

use sea_orm::{DbBackend, FromQueryResult, QueryResult, Statement, Value};
use uuid::Uuid;

use super::new_message::{Moment, Sent, Slot};
use super::receipt::{Created, IdempotentRequest};
use super::{Chat, SendMessage, text};
use crate::assistant::estimate;
use crate::database::{FastPath, now};
use crate::entity::conversation;
use crate::entity::message::{Role, Status};
use crate::error::Error;
use crate::index::Entry;
use crate::reply::{Claim, Instructions, NewTurn, ReplyPermit};
use crate::signal::Topic;
use crate::usage::Period;

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
        let starts = request.conversation_id.is_none();
        let conversation = request.conversation_id.unwrap_or_else(Uuid::now_v7);
        let options = self.replies.options();
        let lease = i64::try_from(options.lease.as_millis()).unwrap_or(i64::MAX);
        let ledger = self.replies.ledger();
        let day = ledger.calendar.day(now());
        let tokens = estimate::turn(&request.content);
        let mut values: Vec<Value> = Vec::with_capacity(32);
        let usual: [Value; sql::VALUES] = [
            self.user().into(),
            conversation.into(),
            idempotent.map(IdempotentRequest::key).into(),
            i64::from(options.user_replies).into(),
            idempotent.map(IdempotentRequest::digest).into(),
            message.into(),
            reply.into(),
            request.content.as_str().into(),
            request.metadata.as_str().into(),
            self.replies.restarts().into(),
            self.replies.server().into(),
            lease.into(),
            entry.text().into(),
            entry.tokens().into(),
            self.replies.catalog().choices(self.viewer.plan(), choice.parameters.as_ref()).as_ref().into(),
            choice.assistant_id.as_deref().into(),
            day.into(),
            ledger.calendar.start_of(day).into(),
            ledger.calendar.start_of(Period::Day.next(day)).into(),
            choice.parameters.clone().into(),
        ];
        values.extend(usual);
        if starts {
            values.extend(self.title_values(&request.content));
        }
        let expectation = ledger.expectation(self.viewer.plan(), tokens, day, values.len() + 1);
        let sql = sql::send(starts, &expectation);
        values.extend(expectation.values);
        let (chat, request) = (self.clone(), request.clone());
        Some(FastPath {
            statement: Statement::from_sql_and_values(DbBackend::Postgres, sql, values),
            finish: Box::new(move |row| chat.usually_sent(request, [message, reply], permit, row)),
        })
    }

    /// The title of a conversation that begins with `content`, and its entry in the search index.
    fn title_values(&self, content: &str) -> [Value; sql::TITLE_VALUES] {
        let title = text::derive_title(content);
        let (key, entry) = (text::title_key(&title), Entry::of(self.user(), &title));
        [title.into(), key.into(), entry.text().into(), entry.tokens().into()]
    }

    /// What was stored, from the conversation's row. The reply is generated.
    fn usually_sent(
        &self,
        request: SendMessage,
        [message, reply]: [Uuid; 2],
        permit: ReplyPermit,
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
        let turn = NewTurn { after: parent, text, instructions };
        self.replies.generate(Claim { reply: reply.clone(), permit, turn: Some(turn) });
        Ok(Sent { conversation, message, reply })
    }
}
