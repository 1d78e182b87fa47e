//! New messages, and the rows of their replies.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Statement, Value};
use uuid::Uuid;

use super::receipt::Made;
use super::{AfterCommit, Chat, Metadata};
use crate::database::Write;
use crate::entity::conversation;
use crate::entity::message::{self, Column, Entity, Role, Status, ToolCalls};
use crate::error::Error;
use crate::search;

const WAITING: &str = "SELECT COUNT(*) AS waiting FROM message WHERE user_id = $1 AND status = 'QUEUED'";

/// What a message that asks for a reply has become.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The conversation.
    pub conversation: conversation::Model,
    /// The user's message.
    pub message: message::Model,
    /// The reply, as it was when the request was answered.
    pub reply: message::Model,
}

/// What a new message of a user is made of.
pub(super) struct Words<'r> {
    /// The text, checked.
    pub(super) content: &'r str,
    /// What the client keeps of its own beside it.
    pub(super) metadata: Metadata,
}

/// A place at the end of a conversation's active path, which already leads to it and counts it.
pub(super) struct Seat {
    /// The message before.
    pub(super) parent: Option<Uuid>,
    /// The place.
    pub(super) position: i64,
    /// Whether a reply has to wait for others.
    pub(super) busy: bool,
}

impl Chat {
    /// Stores a user's message at `seat`, and its reply after it.
    pub(super) async fn store_turn(
        &self,
        write: &Write,
        conversation: conversation::Model,
        seat: Seat,
        words: Words<'_>,
        made: Made,
        due: &mut AfterCommit,
    ) -> Result<Sent, Error> {
        let mut message = self.new_message(write, conversation.id, made.message, &seat, Role::User);
        words.content.clone_into(&mut message.content);
        message.metadata = words.metadata.into_text();
        message.status = Status::Complete;
        message.finished_at = Some(write.now);
        let after = Seat { parent: Some(message.id), position: seat.position + 1, busy: seat.busy };
        let reply = self.new_reply(write, conversation.id, made.reply, &after, due).await?;
        let rows = [message.clone().into_active_model(), reply.clone().into_active_model()];
        Entity::insert_many(rows).exec_without_returning(&**write).await?;
        search::index_message(write, self.user(), message.id, &message.content).await?;
        Ok(Sent { conversation, message, reply })
    }

    /// A new reply's row, not yet stored, which begins once it is if nothing stands before it.
    ///
    /// # Errors
    /// [`Error::TooManyQueued`] if it would have to wait, and no more of the viewer's may.
    pub(super) async fn new_reply(
        &self,
        write: &Write,
        conversation_id: Uuid,
        id: Option<Uuid>,
        seat: &Seat,
        due: &mut AfterCommit,
    ) -> Result<message::Model, Error> {
        if seat.busy {
            self.check_queue(write).await?;
        }
        let mut reply = self.new_message(write, conversation_id, id, seat, Role::Assistant);
        self.replies.admit(&mut reply, seat.busy, write.now);
        if !seat.busy {
            due.begin = Some(reply.clone());
        }
        Ok(reply)
    }

    /// Whether one more of the viewer's replies may wait. Writes of one user follow each other, so that the count
    /// holds until the commit.
    ///
    /// # Errors
    /// [`Error::TooManyQueued`] if it may not.
    pub(super) async fn check_queue(&self, write: &Write) -> Result<(), Error> {
        let values = [Value::from(self.user())];
        let statement = Statement::from_sql_and_values(write.get_database_backend(), WAITING, values);
        let row = write.query_one_raw(statement).await?;
        let waiting: i64 = row.map_or(Ok(0), |row| row.try_get("", "waiting"))?;
        let maximum = self.limits.user_queued;
        if waiting < i64::from(maximum) { Ok(()) } else { Err(Error::TooManyQueued(maximum)) }
    }

    /// What an earlier request has made, as it is now.
    pub(super) async fn sent_before(&self, write: &Write, made: Made) -> Result<Sent, Error> {
        let message = self.made_message(write, made.message).await?;
        let reply = self.made_message(write, made.reply).await?;
        let conversation = self.conversation_within(write, message.conversation_id).await?;
        Ok(Sent { conversation, message, reply })
    }

    /// A message that an earlier request has made.
    pub(super) async fn made_message(
        &self,
        write: &Write,
        id: Option<Uuid>,
    ) -> Result<message::Model, Error> {
        let id = id.ok_or_else(|| Error::Internal("a receipt without its message".to_owned()))?;
        self.message_within(write, id).await?.ok_or(Error::NotFound("message"))
    }

    /// A message of the viewer, as the transaction sees it.
    pub(super) async fn message_within(
        &self,
        write: &Write,
        id: Uuid,
    ) -> Result<Option<message::Model>, Error> {
        let query = self.own_messages().filter(Column::Id.eq(id));
        Ok(query.one(&**write).await?)
    }

    /// A new message's row, not yet stored.
    fn new_message(
        &self,
        write: &Write,
        conversation_id: Uuid,
        id: Option<Uuid>,
        seat: &Seat,
        role: Role,
    ) -> message::Model {
        message::Model {
            user_id: self.user().to_owned(),
            id: id.unwrap_or_else(Uuid::now_v7),
            conversation_id,
            parent_id: seat.parent,
            position: seat.position,
            active: true,
            role,
            status: Status::Queued,
            content: String::new(),
            tool_calls: ToolCalls::default(),
            finish_reason: None,
            failure: None,
            model: None,
            usage: None,
            attempt: 0,
            restarts_left: 0,
            lease_owner: None,
            lease_until: None,
            stop_requested_at: None,
            metadata: Metadata::default().into_text(),
            rating: None,
            rating_comment: None,
            created_at: write.now,
            finished_at: None,
            created_revision: write.revision,
            revision: write.revision,
        }
    }
}
