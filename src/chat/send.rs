//! Sending a message and asking for its reply.

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ActiveEnum, ConnectionTrait, EntityTrait, IntoActiveModel, QueryTrait};
use serde::Serialize;
use uuid::Uuid;

use super::new_message::{NewMessage, Sent, Slot};
use super::path::path_changed;
use super::receipt::{Created, IdempotentRequest};
use super::tree::ensure_no_steps;
use super::{Chat, Choice, Metadata, text, unchanged};
use crate::database::Write;
use crate::entity::conversation::{self, Column, TitleOrigin};
use crate::error::Error;
use crate::index::{self, Entry};

/// A message to send.
#[derive(Clone, Debug, Serialize)]
pub struct SendMessage {
    /// The conversation; `None` starts one.
    pub conversation_id: Option<Uuid>,
    /// The text.
    pub content: String,
    /// The idempotency key: a second request with the same key returns the first one's rows.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
    /// What to do if a reply is queued or running in the conversation.
    pub on_busy: OnBusy,
    /// The client's metadata of the message.
    pub metadata: Metadata,
    /// Which assistant is to answer, and how; also further messages, if it starts a conversation.
    #[serde(flatten)]
    pub choice: Choice,
}

/// What a new message does to queued and running replies of its conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum OnBusy {
    /// The new reply is queued.
    #[default]
    Enqueue,
    /// The request fails.
    Reject,
    /// They are stopped, and keep their text so far.
    Interrupt,
    /// They are stopped, and the messages at the end of the active path whose replies did not finish leave the path.
    Rollback,
}

impl SendMessage {
    /// Its receipt. The text is checked.
    pub(super) fn idempotent(&self) -> Result<Option<IdempotentRequest>, Error> {
        IdempotentRequest::new(self.idempotency_key.as_deref(), "sendMessage", self)
    }
}

impl Chat {
    /// Stores a message and its reply's row in one transaction, has the reply generated, and returns at once. All of
    /// that is done even if the caller drops the future.
    pub async fn send(&self, mut request: SendMessage) -> Result<Sent, Error> {
        request.content = text::message(&request.content, self.limits.message_chars)?.to_owned();
        let idempotent = request.idempotent()?;
        let entry = Entry::prepare(self.user(), request.content.clone()).await?;
        let created =
            Created { message: Some(Uuid::now_v7()), reply: Some(Uuid::now_v7()), ..Created::default() };
        self.write_fast(
            move |chat, (request, idempotent, entry)| {
                chat.usual_send(request, idempotent.as_ref(), entry, created)
            },
            (request, idempotent, entry),
            move |chat, write, (request, idempotent, entry)| {
                Box::pin(async move {
                    if write.uncertain
                        && let Some(sent) = chat.find_uncertain(write, created).await?
                    {
                        return Ok(sent);
                    }
                    if let Some(earlier) = chat.record_receipt(write, idempotent.as_ref(), created).await? {
                        return Ok(unchanged(write, chat.find_sent(write, earlier).await?));
                    }
                    let content = &request.content;
                    let (conversation, slot) = match request.conversation_id {
                        Some(id) => chat.extend_conversation(write, id, content, request.on_busy).await?,
                        None => chat.start_conversation(write, content).await?,
                    };
                    let choice = &request.choice;
                    let new = NewMessage { content, metadata: request.metadata.clone(), entry, choice };
                    let sent = chat.store_message_and_reply(write, conversation, slot, new, created).await?;
                    if request.conversation_id.is_none() && !choice.is_empty() {
                        let assistant =
                            sent.reply.assistant_id.clone().filter(|_| choice.assistant_id.is_some());
                        let parameters = choice.parameters.clone();
                        chat.store_first_choice(write, sent.conversation.id, assistant, parameters).await?;
                    }
                    Ok(sent)
                })
            },
        )
        .await
    }

    /// Starts a conversation, and counts a first message and its reply.
    async fn start_conversation(
        &self,
        write: &Write,
        content: &str,
    ) -> Result<(conversation::Model, Slot), Error> {
        let title = (text::derive_title(content), TitleOrigin::Message);
        let conversation =
            conversation::Model { read_position: 1, ..self.new_conversation(write, Some(title), 2) };
        let insert = conversation::Entity::insert(conversation.clone().into_active_model());
        write.run_later(insert.build(write.get_database_backend())).await?;
        index::index_title(write, &conversation).await?;
        Ok((conversation, Slot { parent: None, position: 1, busy: false, active: true }))
    }

    /// Counts another message, with the text `content`, and its reply at the end of a conversation.
    async fn extend_conversation(
        &self,
        write: &Write,
        conversation_id: Uuid,
        content: &str,
        on_busy: OnBusy,
    ) -> Result<(conversation::Model, Slot), Error> {
        let title = text::derive_title(content);
        let key = Expr::case(Expr::col(Column::Title).is_null(), text::title_key(&title));
        let origin = TitleOrigin::Message.to_value();
        let extend = [
            (Column::LastPosition, Expr::col(Column::LastPosition).add(2)),
            // Sending a message marks all before it as read.
            (Column::ReadPosition, Expr::col(Column::LastPosition).add(1)),
            (Column::UpdatedAt, Expr::value(write.now)),
            (Column::TitleKey, key.finally(Expr::col(Column::TitleKey)).into()),
            (
                Column::TitleOrigin,
                Func::coalesce([Expr::col(Column::TitleOrigin), Expr::value(origin)]).into(),
            ),
            (Column::Title, Func::coalesce([Expr::col(Column::Title), Expr::value(title)]).into()),
        ];
        let mut conversation =
            ensure_no_steps(self.update_conversation(write, conversation_id, extend).await?)?;
        if conversation.last_position == 2 {
            index::index_title(write, &conversation).await?;
        }
        let mut tail = self.tail(write, &conversation).await?;
        let outcome = self.apply_on_busy(write, conversation_id, tail.busy, on_busy).await?;
        if on_busy == OnBusy::Rollback {
            let end = conversation.last_position - 2;
            let keep = outcome.last_finished(end);
            if keep < end {
                self.truncate_path(write, conversation_id, keep).await?;
                let count = [
                    (Column::LastPosition, Expr::value(keep + 2)),
                    (Column::ReadPosition, Expr::value(keep + 1)),
                    path_changed(write),
                ];
                conversation = self.update_conversation(write, conversation_id, count).await?;
                tail = self.tail(write, &conversation).await?;
            }
        }
        let position = conversation.last_position - 1;
        Ok((conversation, Slot { parent: tail.id, position, busy: outcome.busy, active: true }))
    }
}
