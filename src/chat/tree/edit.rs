//! Editing: another version of a user's message.

use sea_orm::sea_query::Expr;
use serde::Serialize;
use uuid::Uuid;

use super::super::new_message::{NewMessage, Sent};
use super::super::receipt::{Created, IdempotentRequest};
use super::super::{Chat, Choice, Metadata, OnBusy, text, unchanged};
use super::version::NewPath;
use crate::database::Write;
use crate::entity::message::Role;
use crate::error::Error;
use crate::index::Entry;

/// Another version of a user's message.
#[derive(Clone, Debug, Serialize)]
pub struct EditMessage {
    /// The message.
    pub message_id: Uuid,
    /// The new version's text.
    pub content: String,
    /// The idempotency key: a second request with the same key returns the first one's rows.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
    /// What to do if a reply is queued or running in the conversation. [`OnBusy::Rollback`] is the same as
    /// [`OnBusy::Interrupt`] here: the messages after this one leave the active path in any case.
    pub on_busy: OnBusy,
    /// The client's metadata of the new version.
    pub metadata: Metadata,
    /// Which assistant is to answer, and how.
    #[serde(flatten)]
    pub choice: Choice,
}

impl EditMessage {
    /// Its receipt. The text is checked.
    pub(in crate::chat) fn idempotent(&self) -> Result<Option<IdempotentRequest>, Error> {
        IdempotentRequest::new(self.idempotency_key.as_deref(), "editMessage", self)
    }
}

impl Chat {
    /// Stores another version of a user's message with a reply of its own, puts both on the active path, has the reply
    /// generated, and returns at once. The old version and its descendants stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message, or it is a reply.
    pub async fn edit_message(&self, mut request: EditMessage) -> Result<Sent, Error> {
        request.content = text::message(&request.content, self.limits.message_chars)?.to_owned();
        let idempotent = request.idempotent()?;
        let entry = Entry::prepare(self.user(), request.content.clone()).await?;
        let created =
            Created { message: Some(Uuid::now_v7()), reply: Some(Uuid::now_v7()), ..Created::default() };
        let sent =
            self.write((request, idempotent, entry), move |chat, write, (request, idempotent, entry)| {
                Box::pin(async move {
                    match chat.record_receipt(write, idempotent.as_ref(), created).await? {
                        Some(earlier) => Ok(unchanged(write, chat.find_sent(write, earlier).await?)),
                        None => chat.edit(write, request, entry, created).await,
                    }
                })
            });
        let mut sent = sent.await?;
        if sent.conversation.step_at.is_some() {
            sent.conversation = self.finish_steps(sent.conversation.id).await?;
            for row in [&mut sent.message, &mut sent.reply] {
                if let Some(now) = self.message(row.id).await? {
                    row.active = now.active;
                }
            }
        }
        Ok(sent)
    }

    async fn edit(
        &self,
        write: &Write,
        request: &EditMessage,
        entry: &Entry,
        created: Created,
    ) -> Result<Sent, Error> {
        let old = self.message_within(write, request.message_id).await?;
        let old = old.filter(|old| old.role == Role::User).ok_or(Error::NotFound("message of the user"))?;
        let path = NewPath { end: created.reply, length: old.position + 1, read: Expr::value(old.position) };
        let (conversation, slot) = self.version_slot(write, &old, path, request.on_busy).await?;
        let (content, metadata) = (&request.content, request.metadata.clone());
        let new = NewMessage { content, metadata, entry, choice: &request.choice };
        self.store_message_and_reply(write, conversation, slot, new, created).await
    }
}
