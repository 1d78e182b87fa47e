//! Sending a message and asking for its reply.

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ActiveEnum, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::receipt::{Made, Repeatable};
use super::tree::settled;
use super::turn::{Seat, Sent, Words};
use super::{AfterCommit, Chat, Metadata, text};
use crate::database::Write;
use crate::entity::conversation::{self, Column, TitleOrigin};
use crate::error::Error;
use crate::search::{self, Entry};

/// A message to send.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// The conversation; `None` starts one.
    pub conversation_id: Option<Uuid>,
    /// The text.
    pub content: String,
    /// The client's name for this request: a second one with the same key finds the first one's rows.
    pub idempotency_key: Option<String>,
    /// What to do if a reply is under way in the conversation.
    pub on_busy: OnBusy,
    /// What the client keeps of its own beside the message.
    pub metadata: Metadata,
}

/// What a message does to replies that are under way in its conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBusy {
    /// The new reply waits for its turn.
    #[default]
    Enqueue,
    /// Nothing is sent.
    Reject,
    /// They are stopped, with what they have of text.
    Interrupt,
    /// They are stopped, and turns at the end that have no finished reply leave the active path.
    Rollback,
}

impl Chat {
    /// Stores a message and its reply's row in one transaction, has the reply written, and returns at once.
    ///
    /// What was asked for is done even if the caller goes away meanwhile.
    pub async fn send(&self, mut request: SendMessage) -> Result<Sent, Error> {
        request.content = text::message(&request.content, self.limits.message_chars)?.to_owned();
        let conversation_id = request.conversation_id.unwrap_or(Uuid::nil());
        let arguments = [conversation_id.as_bytes(), request.content.as_bytes(), request.metadata.bytes()];
        let repeatable = Repeatable::new(request.idempotency_key.as_deref(), "sendMessage", &arguments)?;
        let entry = Entry::prepare(self.user(), request.content.clone()).await?;
        let made = Made { message: Some(Uuid::now_v7()), reply: Some(Uuid::now_v7()), ..Made::default() };
        self.write((request, repeatable, entry), move |chat, write, (request, repeatable, entry)| {
            Box::pin(async move {
                if let Some(earlier) = chat.receive(write, repeatable.as_ref(), made).await? {
                    return Ok((chat.sent_before(write, earlier).await?, AfterCommit::nothing()));
                }
                let content = &request.content;
                let mut due = AfterCommit::default();
                let (conversation, place) = match request.conversation_id {
                    Some(id) => chat.extend(write, id, content, request.on_busy, &mut due).await?,
                    None => chat.begin(write, content).await?,
                };
                let words = Words { content, metadata: request.metadata.clone(), entry };
                let sent = chat.store_turn(write, conversation, place, words, made, &mut due).await?;
                Ok((sent, due))
            })
        })
        .await
    }

    /// Starts a conversation with room for a first turn.
    async fn begin(&self, write: &Write, content: &str) -> Result<(conversation::Model, Seat), Error> {
        let title = (text::derive_title(content), TitleOrigin::Message);
        let conversation =
            conversation::Model { read_position: 1, ..self.new_conversation(write, Some(title), 2) };
        conversation::Entity::insert(conversation.clone().into_active_model())
            .exec_without_returning(&**write)
            .await?;
        search::index_title(write, &conversation).await?;
        Ok((conversation, Seat { parent: None, position: 1, busy: false, active: true }))
    }

    /// Makes room at the end of a conversation for a turn that begins with `content`.
    async fn extend(
        &self,
        write: &Write,
        conversation_id: Uuid,
        content: &str,
        on_busy: OnBusy,
        due: &mut AfterCommit,
    ) -> Result<(conversation::Model, Seat), Error> {
        let title = text::derive_title(content);
        let key = Expr::case(Expr::col(Column::Title).is_null(), text::title_key(&title));
        let origin = TitleOrigin::Message.to_value();
        let extend = [
            (Column::LastPosition, Expr::col(Column::LastPosition).add(2)),
            // Who sends a message has read what is before it.
            (Column::ReadPosition, Expr::col(Column::LastPosition).add(1)),
            (Column::UpdatedAt, Expr::value(write.now)),
            (Column::TitleKey, key.finally(Expr::col(Column::TitleKey)).into()),
            (
                Column::TitleOrigin,
                Func::coalesce([Expr::col(Column::TitleOrigin), Expr::value(origin)]).into(),
            ),
            (Column::Title, Func::coalesce([Expr::col(Column::Title), Expr::value(title)]).into()),
        ];
        let mut conversation = settled(self.update_conversation(write, conversation_id, extend).await?)?;
        if conversation.last_position == 2 {
            search::index_title(write, &conversation).await?;
        }
        let mut tail = self.tail(write, &conversation).await?;
        let way = self.clear_way(write, conversation_id, tail.busy, on_busy, due).await?;
        if on_busy == OnBusy::Rollback {
            let end = conversation.last_position - 2;
            let keep = way.finished_before(end);
            if keep < end {
                self.cut(write, conversation_id, keep).await?;
                let count = [
                    (Column::LastPosition, Expr::value(keep + 2)),
                    (Column::ReadPosition, Expr::value(keep + 1)),
                ];
                conversation = self.update_conversation(write, conversation_id, count).await?;
                tail = self.tail(write, &conversation).await?;
            }
        }
        let position = conversation.last_position - 1;
        Ok((conversation, Seat { parent: tail.id, position, busy: way.busy, active: true }))
    }
}
