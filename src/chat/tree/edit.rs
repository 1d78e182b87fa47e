//! Editing: another version of a user's message.

use sea_orm::sea_query::Expr;
use uuid::Uuid;

use super::super::new_message::{NewMessage, Sent, Slot};
use super::super::receipt::{Created, IdempotentRequest};
use super::super::{AfterCommit, Chat, Metadata, OnBusy, text};
use super::steps::set_target;
use crate::database::Write;
use crate::entity::conversation::Column;
use crate::entity::message::Role;
use crate::error::Error;
use crate::index::Entry;

/// Another version of a user's message.
#[derive(Clone, Debug)]
pub struct EditMessage {
    /// The message.
    pub message_id: Uuid,
    /// The new version's text.
    pub content: String,
    /// The idempotency key: a second request with the same key returns the first one's rows.
    pub idempotency_key: Option<String>,
    /// What to do if a reply is queued or running in the conversation. [`OnBusy::Rollback`] is the same as
    /// [`OnBusy::Interrupt`] here: the messages after this one leave the active path in any case.
    pub on_busy: OnBusy,
    /// The client's metadata of the new version.
    pub metadata: Metadata,
}

impl Chat {
    /// Stores another version of a user's message with a reply of its own, puts both on the active path, has the reply
    /// generated, and returns at once. The old version and its descendants stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message, or it is a reply.
    pub async fn edit_message(&self, mut request: EditMessage) -> Result<Sent, Error> {
        request.content = text::message(&request.content, self.limits.message_chars)?.to_owned();
        let arguments = [request.message_id.as_bytes(), request.content.as_bytes(), request.metadata.bytes()];
        let idempotent =
            IdempotentRequest::new(request.idempotency_key.as_deref(), "editMessage", &arguments)?;
        let entry = Entry::prepare(self.user(), request.content.clone()).await?;
        let created =
            Created { message: Some(Uuid::now_v7()), reply: Some(Uuid::now_v7()), ..Created::default() };
        let sent =
            self.write((request, idempotent, entry), move |chat, write, (request, idempotent, entry)| {
                Box::pin(async move {
                    match chat.record_receipt(write, idempotent.as_ref(), created).await? {
                        Some(earlier) => Ok((chat.find_sent(write, earlier).await?, AfterCommit::nothing())),
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
    ) -> Result<(Sent, AfterCommit), Error> {
        let mut after_commit = AfterCommit::default();
        let old = self.message_within(write, request.message_id).await?;
        let old = old.filter(|old| old.role == Role::User).ok_or(Error::NotFound("message of the user"))?;
        let length = old.position - 1;
        let branch_point = self.branch_point(write, old.conversation_id, old.parent_id, length).await?;
        let ancestor = branch_point.ancestor(old.parent_id, length).ok();
        let read = Expr::value(old.position);
        let mut changes = vec![(Column::UpdatedAt, Expr::value(write.now))];
        match (ancestor, created.reply) {
            (None, Some(reply)) => changes.extend(set_target(write, reply, Some(read))),
            _ => changes.extend([
                (Column::LastPosition, Expr::value(old.position + 1)),
                (Column::ReadPosition, read),
            ]),
        }
        let conversation = self.update_conversation(write, old.conversation_id, changes).await?;
        let outcome = self
            .apply_on_busy(write, conversation.id, branch_point.busy, request.on_busy, &mut after_commit)
            .await?;
        if let Some(ancestor) = ancestor {
            self.set_active_path(write, conversation.id, old.parent_id, length, ancestor).await?;
        }
        let active = ancestor.is_some();
        let slot = Slot { parent: old.parent_id, position: old.position, busy: outcome.busy, active };
        let new = NewMessage { content: &request.content, metadata: request.metadata.clone(), entry };
        let sent =
            self.store_message_and_reply(write, conversation, slot, new, created, &mut after_commit).await?;
        Ok((sent, after_commit))
    }
}
