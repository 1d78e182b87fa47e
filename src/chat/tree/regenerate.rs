//! Regenerating: another version of a reply.

use sea_orm::{EntityTrait, IntoActiveModel};
use serde::Serialize;
use uuid::Uuid;

use super::super::new_message::NewReply;
use super::super::receipt::{Created, IdempotentRequest};
use super::super::unread::read_at_most;
use super::super::{Chat, Choice, Metadata, OnBusy, unchanged};
use super::version::NewPath;
use crate::database::Write;
use crate::entity::conversation;
use crate::entity::message;
use crate::error::Error;

/// Another version of a reply.
#[derive(Clone, Debug, Serialize)]
pub struct RegenerateReply {
    /// The reply.
    pub message_id: Uuid,
    /// The idempotency key: a second request with the same key returns the first one's reply.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
    /// What to do if a reply is queued or running in the conversation. [`OnBusy::Rollback`] is the same as
    /// [`OnBusy::Interrupt`] here: the reply and the messages after it leave the active path in any case.
    pub on_busy: OnBusy,
    /// The client's metadata of the new reply.
    pub metadata: Metadata,
    /// Which assistant is to answer, and how.
    #[serde(flatten)]
    pub choice: Choice,
}

/// A regenerated reply.
#[derive(Clone, Debug)]
pub struct Regenerated {
    /// The conversation.
    pub conversation: conversation::Model,
    /// The new reply, as it was when the request was answered.
    pub reply: message::Model,
}

impl RegenerateReply {
    /// Its receipt.
    pub(in crate::chat) fn idempotent(&self) -> Result<Option<IdempotentRequest>, Error> {
        IdempotentRequest::new(self.idempotency_key.as_deref(), "regenerateReply", self)
    }
}

impl Chat {
    /// Stores another reply to the same message, puts it on the active path, has it generated, and returns at once. The
    /// old reply and its descendants stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply.
    pub async fn regenerate_reply(&self, request: RegenerateReply) -> Result<Regenerated, Error> {
        let idempotent = request.idempotent()?;
        let id = Some(Uuid::now_v7());
        let created = Created { message: id, reply: id, ..Created::default() };
        let regenerated = self.write((request, idempotent), move |chat, write, (request, idempotent)| {
            Box::pin(async move {
                match chat.record_receipt(write, idempotent.as_ref(), created).await? {
                    Some(earlier) => {
                        let reply = chat.created_message(write, earlier.reply).await?;
                        let conversation = chat.conversation_within(write, reply.conversation_id).await?;
                        Ok(unchanged(write, Regenerated { conversation, reply }))
                    }
                    None => chat.regenerate(write, request, created).await,
                }
            })
        });
        let mut regenerated = regenerated.await?;
        if regenerated.conversation.step_at.is_some() {
            regenerated.conversation = self.finish_steps(regenerated.conversation.id).await?;
            if let Some(now) = self.message(regenerated.reply.id).await? {
                regenerated.reply.active = now.active;
            }
        }
        Ok(regenerated)
    }

    async fn regenerate(
        &self,
        write: &Write,
        request: &RegenerateReply,
        created: Created,
    ) -> Result<Regenerated, Error> {
        let old = self.own_reply(write, request.message_id).await?;
        let (_, read) = read_at_most(old.position - 1);
        let path = NewPath { end: created.reply, length: old.position, read };
        let (conversation, slot) = self.version_slot(write, &old, path, request.on_busy).await?;
        let (metadata, choice) = (request.metadata.clone(), &request.choice);
        let asked = NewReply { id: created.reply, metadata, choice, after: Some(old.id), text: "" };
        let reply = self.new_reply(write, conversation.id, &slot, asked).await?;
        message::Entity::insert(reply.clone().into_active_model()).exec_without_returning(&**write).await?;
        Ok(Regenerated { conversation, reply })
    }
}
