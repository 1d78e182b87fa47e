//! The rows of new messages and their replies.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryTrait};
use uuid::Uuid;

use super::receipt::Created;
use super::{Chat, Choice, Metadata};
use crate::assistant::estimate;
use crate::database::Write;
use crate::entity::conversation;
use crate::entity::message::{self, Column, Entity, Role, Status};
use crate::error::Error;
use crate::index::{self, Entry};
use crate::reply::{Claim, NewTurn, ReplyContext, ReplyPermit};
use crate::signal::Topic;
use crate::usage::Asked;

/// A stored message and its reply.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The conversation.
    pub conversation: conversation::Model,
    /// The user's message.
    pub message: message::Model,
    /// The reply, as it was when the request was answered.
    pub reply: message::Model,
}

/// A new message of a user.
pub(super) struct NewMessage<'r> {
    /// The checked text.
    pub(super) content: &'r str,
    /// The client's metadata.
    pub(super) metadata: Metadata,
    /// The text's entry in the search index.
    pub(super) entry: &'r Entry,
    /// What the request says of who is to answer.
    pub(super) choice: &'r Choice,
}

/// A reply that is asked for.
pub(super) struct NewReply<'r> {
    pub(super) id: Option<Uuid>,
    /// The client's metadata.
    pub(super) metadata: Metadata,
    /// What the request says of who is to answer.
    pub(super) choice: &'r Choice,
    /// The message after which the new text comes; of a reply that is made again, that one.
    pub(super) after: Option<Uuid>,
    /// The new text.
    pub(super) text: &'r str,
}

/// The slot of a new message at the end of a path. The conversation already counts it.
pub(super) struct Slot {
    /// The message before it.
    pub(super) parent: Option<Uuid>,
    /// Its position.
    pub(super) position: i64,
    /// Whether a reply has to be queued behind others of the conversation.
    pub(super) busy: bool,
    /// Whether the slot is on the active path. It is not yet if the path is moved there in steps.
    pub(super) active: bool,
}

/// When a write takes place, and which revision it gives to rows.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: DateTimeUtc,
    pub(super) revision: i64,
}

impl Moment {
    fn of(write: &Write) -> Self {
        Self { now: write.now, revision: write.revision }
    }
}

impl Chat {
    /// Stores a user's message in `slot`, and its reply after it.
    pub(super) async fn store_message_and_reply(
        &self,
        write: &Write,
        conversation: conversation::Model,
        slot: Slot,
        new: NewMessage<'_>,
        created: Created,
    ) -> Result<Sent, Error> {
        let mut message =
            self.new_message(Moment::of(write), conversation.id, created.message, &slot, Role::User);
        new.content.clone_into(&mut message.content);
        message.metadata = new.metadata.into_text();
        message.status = Status::Complete;
        message.finished_at = Some(write.now);
        let after = Slot { parent: Some(message.id), position: slot.position + 1, ..slot };
        let asked = NewReply {
            id: created.reply,
            metadata: Metadata::default(),
            choice: new.choice,
            after: slot.parent,
            text: new.content,
        };
        let reply = self.new_reply(write, conversation.id, &after, asked).await?;
        let rows = [message.clone().into_active_model(), reply.clone().into_active_model()];
        write.run_later(Entity::insert_many(rows).build(write.get_database_backend())).await?;
        index::store_message(write, self.user(), message.id, new.entry).await?;
        Ok(Sent { conversation, message, reply })
    }

    /// The row of a new reply, which is not stored yet. It starts after the commit if there is a permit, and is queued
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::TooManyQueued`] if it would have to be queued, and the viewer has as many queued replies as allowed;
    /// [`Error::QuotaExceeded`]; those of [`Chat::choose`].
    pub(super) async fn new_reply(
        &self,
        write: &Write,
        conversation_id: Uuid,
        slot: &Slot,
        asked: NewReply<'_>,
    ) -> Result<message::Model, Error> {
        let context = self.replies.context(write, self.user(), conversation_id).await?;
        let chosen = self.choose(asked.choice, &context)?;
        let permit = self.permit_reply(write, &context, slot.busy)?;
        let mut reply = self.new_message(Moment::of(write), conversation_id, asked.id, slot, Role::Assistant);
        // Before the reply is handed on: its row is stored again when it ends.
        reply.metadata = asked.metadata.clone().into_text();
        reply.assistant_id = Some(chosen.assistant_id);
        reply.parameters = chosen.parameters;
        self.reserve(write, &reply, asked.after, asked.text).await?;
        self.replies.lease_or_queue(&mut reply, permit.as_ref(), write.now);
        if let Some(permit) = permit {
            let NewReply { after, text, .. } = asked;
            let (text, instructions) = (text.to_owned(), context.instructions);
            let turn = NewTurn { after, text, instructions, preceding: None };
            // Without a text it is made again.
            let turn = (!turn.text.is_empty()).then_some(turn);
            self.generate_after_commit(write, Claim { reply: reply.clone(), permit, turn });
        }
        Ok(reply)
    }

    /// Reserves what `reply` may use, which is asked for after a message with a new text.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`] if a quota of the viewer's plan does not allow it.
    pub(super) async fn reserve(
        &self,
        write: &Write,
        reply: &message::Model,
        after: Option<Uuid>,
        text: &str,
    ) -> Result<(), Error> {
        let id = reply.assistant_id.as_deref().unwrap_or_default();
        let asked = Asked {
            user: self.user(),
            plan: self.viewer.plan(),
            assistant: self.replies.catalog().find(id).map_or(id, |profile| &profile.id),
            after,
            text_tokens: estimate::turn(text),
            reply_tokens: reply.parameters.as_ref().and_then(|parameters| parameters.max_tokens),
        };
        self.replies.ledger().reserve(write, asked, reply.id).await
    }

    /// Takes a permit to start a reply at once. `None` if it has to be queued: because its conversation is `busy`, the
    /// viewer has as many running replies as allowed, or the server has no permit left.
    ///
    /// # Errors
    /// [`Error::TooManyQueued`] if it has to be queued, and the viewer has as many queued replies as allowed.
    pub(super) fn permit_reply(
        &self,
        write: &Write,
        context: &ReplyContext,
        busy: bool,
    ) -> Result<Option<ReplyPermit>, Error> {
        if !busy && self.replies.may_generate(context) {
            if let Some(permit) = self.replies.permit() {
                return Ok(Some(permit));
            }
            // Another server may have a permit.
            self.signal_after_commit(write, Topic::Claimable);
        }
        let maximum = self.limits.user_queued;
        if context.queued < i64::from(maximum) { Ok(None) } else { Err(Error::TooManyQueued(maximum)) }
    }

    /// The rows that an earlier request has created, as they are now.
    pub(super) async fn find_sent(&self, write: &Write, created: Created) -> Result<Sent, Error> {
        let missing = || Error::Internal("a receipt without its message".to_owned());
        let ids = [created.message.ok_or_else(missing)?, created.reply.ok_or_else(missing)?];
        let rows = self.own_messages().filter(Column::Id.is_in(ids)).all(&**write).await?;
        let [mut message, mut reply] = [None, None];
        for row in rows {
            let found = if row.id == ids[0] { &mut message } else { &mut reply };
            *found = Some(row);
        }
        let (Some(message), Some(reply)) = (message, reply) else { return Err(Error::NotFound("message")) };
        let conversation = self.conversation_within(write, message.conversation_id).await?;
        Ok(Sent { conversation, message, reply })
    }

    /// What a write has created whose answer was lost; `None` if it has created nothing. The reply is generated, unless
    /// another server has taken it over.
    pub(super) async fn find_uncertain(
        &self,
        write: &Write,
        created: Created,
    ) -> Result<Option<Sent>, Error> {
        let Some(id) = created.message else { return Ok(None) };
        if self.message_within(write, id).await?.is_none() {
            return Ok(None);
        }
        let sent = self.find_sent(write, created).await?;
        if let Some(claim) = self.replies.claim_again(&sent.reply) {
            self.generate_after_commit(write, claim);
        }
        Ok(Some(sent))
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

    /// A message of the viewer, read in the transaction.
    pub(super) async fn message_within(
        &self,
        write: &Write,
        id: Uuid,
    ) -> Result<Option<message::Model>, Error> {
        let query = self.own_messages().filter(Column::Id.eq(id));
        Ok(query.one(&**write).await?)
    }

    /// The row of a new message, which is not stored yet.
    pub(super) fn new_message(
        &self,
        at: Moment,
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
            metadata: Metadata::default().into_text(),
            created_at: at.now,
            created_revision: at.revision,
            revision: at.revision,
            ..message::Model::default()
        }
    }
}
