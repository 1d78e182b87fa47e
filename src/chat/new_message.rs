//! New messages, and the rows of their replies.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use super::receipt::Created;
use super::{AfterCommit, Chat, Metadata};
use crate::database::Write;
use crate::entity::conversation;
use crate::entity::message::{self, Column, Entity, Role, Status, ToolCalls};
use crate::error::Error;
use crate::reply::{Claim, Permit};
use crate::search::{self, Entry};
use crate::signal::Topic;

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
pub(super) struct NewMessage<'r> {
    /// The text, checked.
    pub(super) content: &'r str,
    /// What the client keeps of its own beside it.
    pub(super) metadata: Metadata,
    /// What makes the text findable.
    pub(super) entry: &'r Entry,
}

/// A place at the end of a conversation's active path, which already leads to it and counts it.
pub(super) struct Slot {
    /// The message before.
    pub(super) parent: Option<Uuid>,
    /// The place.
    pub(super) position: i64,
    /// Whether a reply has to wait for others.
    pub(super) busy: bool,
    /// Whether the active path leads there already, and not only in steps that are yet to be taken.
    pub(super) active: bool,
}

impl Chat {
    /// Stores a user's message at `slot`, and its reply after it.
    pub(super) async fn store_message_and_reply(
        &self,
        write: &Write,
        conversation: conversation::Model,
        slot: Slot,
        new: NewMessage<'_>,
        created: Created,
        after_commit: &mut AfterCommit,
    ) -> Result<Sent, Error> {
        let mut message = self.new_message(write, conversation.id, created.message, &slot, Role::User);
        new.content.clone_into(&mut message.content);
        message.metadata = new.metadata.into_text();
        message.status = Status::Complete;
        message.finished_at = Some(write.now);
        let after = Slot { parent: Some(message.id), position: slot.position + 1, ..slot };
        let reply = self.new_reply(write, conversation.id, created.reply, &after, after_commit).await?;
        let rows = [message.clone().into_active_model(), reply.clone().into_active_model()];
        Entity::insert_many(rows).exec_without_returning(&**write).await?;
        search::store_message(write, self.user(), message.id, new.entry).await?;
        Ok(Sent { conversation, message, reply })
    }

    /// A new reply's row, not yet stored, which begins once it is if nothing stands before it and there is room.
    ///
    /// # Errors
    /// [`Error::TooManyQueued`] if it would have to wait, and no more of the viewer's may.
    pub(super) async fn new_reply(
        &self,
        write: &Write,
        conversation_id: Uuid,
        id: Option<Uuid>,
        slot: &Slot,
        after_commit: &mut AfterCommit,
    ) -> Result<message::Model, Error> {
        let permit = self.permit_reply(write, slot.busy, after_commit).await?;
        let mut reply = self.new_message(write, conversation_id, id, slot, Role::Assistant);
        self.replies.admit(&mut reply, permit.as_ref(), write.now);
        after_commit.reply = permit.map(|permit| Claim { reply: reply.clone(), permit });
        Ok(reply)
    }

    /// The permit to begin a reply at once; `None` if it has to wait, because its conversation is `busy`, because the
    /// viewer has as many under way as may be, or because the server has no room.
    ///
    /// # Errors
    /// [`Error::TooManyQueued`] if it has to wait, and no more of the viewer's may.
    pub(super) async fn permit_reply(
        &self,
        write: &Write,
        busy: bool,
        after_commit: &mut AfterCommit,
    ) -> Result<Option<Permit>, Error> {
        let under_way = self.replies.under_way(write, self.user()).await?;
        if !busy && self.replies.may_begin(under_way) {
            if let Some(permit) = self.replies.permit() {
                return Ok(Some(permit));
            }
            // Another server may have room.
            after_commit.signals.push(Topic::Orphans);
        }
        let maximum = self.limits.user_queued;
        if under_way.waiting < i64::from(maximum) { Ok(None) } else { Err(Error::TooManyQueued(maximum)) }
    }

    /// What an earlier request has made, as it is now.
    pub(super) async fn find_sent(&self, write: &Write, created: Created) -> Result<Sent, Error> {
        let message = self.created_message(write, created.message).await?;
        let reply = self.created_message(write, created.reply).await?;
        let conversation = self.conversation_within(write, message.conversation_id).await?;
        Ok(Sent { conversation, message, reply })
    }

    /// A message that an earlier request has created.
    pub(super) async fn created_message(
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
        slot: &Slot,
        role: Role,
    ) -> message::Model {
        message::Model {
            user_id: self.user().to_owned(),
            id: id.unwrap_or_else(Uuid::now_v7),
            conversation_id,
            parent_id: slot.parent,
            position: slot.position,
            active: slot.active,
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
