//! Sending a message and asking for its reply.

use ring::digest::{self, SHA256};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{Aftermath, Chat, Metadata, text, undisturbed};
use crate::database::Write;
use crate::entity::conversation::{self, TitleOrigin};
use crate::entity::message::{self, Column, Role, Status, ToolCalls};
use crate::error::Error;
use crate::search;

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

/// What a sent message has become.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The conversation.
    pub conversation: conversation::Model,
    /// The user's message.
    pub message: message::Model,
    /// The reply, as it was when the request was answered.
    pub reply: message::Model,
}

/// A message that is to be stored.
struct Draft<'r> {
    content: &'r str,
    /// The request's idempotency key, and the digest of its arguments.
    receipt: Option<(&'r str, Vec<u8>)>,
    metadata: Metadata,
}

impl Chat {
    /// Stores a message and its reply's row in one transaction, has the reply written, and returns at once.
    ///
    /// What was asked for is done even if the caller goes away meanwhile.
    pub async fn send(&self, request: SendMessage) -> Result<Sent, Error> {
        let chat = self.clone();
        undisturbed(async move { Box::pin(chat.send_now(request)).await }).await
    }

    async fn send_now(&self, request: SendMessage) -> Result<Sent, Error> {
        let content = text::message(&request.content, self.limits.message_chars)?;
        let key = request.idempotency_key.as_deref().map(text::idempotency_key).transpose()?;
        let digest = || digest_of(request.conversation_id, content, &request.metadata);
        let receipt = key.map(|key| (key, digest()));
        let (sent, aftermath) = self
            .database
            .write(self.user(), |write| async move {
                if let Some((key, digest)) = &receipt
                    && let Some(sent) = self.sent_before(&write, key, digest).await?
                {
                    return Ok((write, (sent, Aftermath::nothing())));
                }
                let draft = Draft { content, receipt, metadata: request.metadata };
                let stored = match request.conversation_id {
                    Some(id) => self.append(&write, id, draft, request.on_busy).await?,
                    None => self.begin(&write, draft).await?,
                };
                Ok((write, stored))
            })
            .await?;
        self.follow_up(aftermath);
        Ok(sent)
    }

    /// What an earlier request with this key has become.
    async fn sent_before(&self, write: &Write, key: &str, digest: &[u8]) -> Result<Option<Sent>, Error> {
        let own = || message::Entity::find().filter(Column::UserId.eq(self.user()));
        let Some(message) = own().filter(Column::IdempotencyKey.eq(key)).one(&**write).await? else {
            return Ok(None);
        };
        match message.request_digest.as_deref() {
            Some(known) if known == digest => {}
            Some(_) => return Err(Error::IdempotencyMismatch),
            // What the key was for has been erased; it must not come back under the same key.
            None => return Err(Error::NotFound("conversation")),
        }
        let reply = own()
            .filter(Column::ConversationId.eq(message.conversation_id))
            .filter(Column::ParentId.eq(message.id))
            .order_by_asc(Column::Id)
            .one(&**write)
            .await?
            .ok_or(Error::NotFound("message"))?;
        let conversation = conversation::Entity::find()
            .filter(conversation::Column::UserId.eq(self.user()))
            .filter(conversation::Column::Id.eq(message.conversation_id))
            .filter(conversation::Column::DeletedAt.is_null())
            .one(&**write)
            .await?
            .ok_or(Error::NotFound("conversation"))?;
        Ok(Some(Sent { conversation, message, reply }))
    }

    /// Starts a conversation with a message.
    async fn begin(&self, write: &Write, draft: Draft<'_>) -> Result<(Sent, Aftermath), Error> {
        let title = (text::derive_title(draft.content), TitleOrigin::Message);
        let conversation =
            conversation::Model { read_position: 1, ..self.new_conversation(write, Some(title), 2) };
        conversation::Entity::insert(conversation.clone().into_active_model())
            .exec_without_returning(&**write)
            .await?;
        search::index_title(write, &conversation).await?;
        self.store(write, conversation, None, draft, false, Aftermath::default()).await
    }

    /// Adds a message to the end of a conversation.
    async fn append(
        &self,
        write: &Write,
        conversation_id: Uuid,
        draft: Draft<'_>,
        on_busy: OnBusy,
    ) -> Result<(Sent, Aftermath), Error> {
        let title = text::derive_title(draft.content);
        let key = Expr::case(Expr::col(conversation::Column::Title).is_null(), text::title_key(&title));
        let origin = TitleOrigin::Message.to_value();
        let extend = [
            (conversation::Column::LastPosition, Expr::col(conversation::Column::LastPosition).add(2)),
            // Who sends a message has read what is before it.
            (conversation::Column::ReadPosition, Expr::col(conversation::Column::LastPosition).add(1)),
            (conversation::Column::UpdatedAt, Expr::value(write.now)),
            (conversation::Column::TitleKey, key.finally(Expr::col(conversation::Column::TitleKey)).into()),
            (
                conversation::Column::TitleOrigin,
                Func::coalesce([Expr::col(conversation::Column::TitleOrigin), Expr::value(origin)]).into(),
            ),
            (
                conversation::Column::Title,
                Func::coalesce([Expr::col(conversation::Column::Title), Expr::value(title)]).into(),
            ),
        ];
        let mut conversation = self.update_conversation(write, conversation_id, extend).await?;
        if conversation.last_position == 2 {
            search::index_title(write, &conversation).await?;
        }
        let mut tail = self.tail(write, &conversation).await?;
        let mut aftermath = Aftermath::default();
        if tail.busy {
            match on_busy {
                OnBusy::Enqueue => {}
                OnBusy::Reject => return Err(Error::ConversationBusy),
                OnBusy::Interrupt | OnBusy::Rollback => {
                    let unfinished = self.interrupt(write, Some(conversation_id), &mut aftermath).await?;
                    if on_busy == OnBusy::Rollback {
                        let end = conversation.last_position - 2;
                        let keep = unfinished.finished_before(end);
                        if keep < end {
                            conversation = self.cut(write, conversation_id, keep, keep + 2).await?;
                            tail = self.tail(write, &conversation).await?;
                        }
                    }
                    tail.busy = unfinished.running;
                }
            }
        }
        self.store(write, conversation, tail.id, draft, tail.busy, aftermath).await
    }

    /// Stores a message and its reply in the two places that `conversation` already counts.
    async fn store(
        &self,
        write: &Write,
        conversation: conversation::Model,
        parent: Option<Uuid>,
        draft: Draft<'_>,
        busy: bool,
        mut aftermath: Aftermath,
    ) -> Result<(Sent, Aftermath), Error> {
        let position = conversation.last_position - 1;
        let mut message = self.new_message(write, conversation.id, parent, position, Role::User);
        draft.content.clone_into(&mut message.content);
        message.metadata = draft.metadata.into_text();
        message.status = Status::Complete;
        message.finished_at = Some(write.now);
        if let Some((key, digest)) = draft.receipt {
            message.idempotency_key = Some(key.to_owned());
            message.request_digest = Some(digest);
        }
        let mut reply =
            self.new_message(write, conversation.id, Some(message.id), position + 1, Role::Assistant);
        self.replies.admit(&mut reply, busy, write.now);
        message::Entity::insert_many([
            message.clone().into_active_model(),
            reply.clone().into_active_model(),
        ])
        .exec_without_returning(&**write)
        .await?;
        search::index_message(write, self.user(), message.id, &message.content).await?;
        if !busy {
            aftermath.begin = Some(reply.clone());
        }
        Ok((Sent { conversation, message, reply }, aftermath))
    }

    /// A new message's row, not yet stored.
    fn new_message(
        &self,
        write: &Write,
        conversation_id: Uuid,
        parent_id: Option<Uuid>,
        position: i64,
        role: Role,
    ) -> message::Model {
        message::Model {
            user_id: self.user().to_owned(),
            id: Uuid::now_v7(),
            conversation_id,
            parent_id,
            position,
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
            idempotency_key: None,
            request_digest: None,
            metadata: Metadata::default().into_text(),
            rating: None,
            rating_comment: None,
            created_at: write.now,
            finished_at: None,
            revision: write.revision,
        }
    }
}

/// What tells a retry from another request under the same key.
fn digest_of(conversation_id: Option<Uuid>, content: &str, metadata: &Metadata) -> Vec<u8> {
    let mut hash = digest::Context::new(&SHA256);
    hash.update(b"sendMessage\0");
    hash.update(conversation_id.unwrap_or(Uuid::nil()).as_bytes());
    hash.update(&(content.len() as u64).to_be_bytes());
    hash.update(content.as_bytes());
    hash.update(metadata.bytes());
    hash.finish().as_ref().to_vec()
}
