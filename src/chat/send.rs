//! Sending a message and asking for its reply.

use ring::digest::{self, SHA256};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder, Statement, Value,
};
use uuid::Uuid;

use super::{Chat, text};
use crate::database::Write;
use crate::entity::conversation;
use crate::entity::message::{self, Column, Role, Status, ToolCalls};
use crate::error::Error;

/// A message to send.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// The conversation; `None` starts one.
    pub conversation_id: Option<Uuid>,
    /// The text.
    pub content: String,
    /// The client's name for this request: a second one with the same key finds the first one's rows.
    pub idempotency_key: Option<String>,
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

/// What the end of a conversation's active path says.
#[derive(Default, FromQueryResult)]
struct Tail {
    id: Option<Uuid>,
    busy: bool,
}

const TAIL: &str = "
SELECT
    (SELECT id FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active AND position = $3) AS id,
    EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'GENERATING')
    OR EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'QUEUED') AS busy";

impl Chat {
    /// Stores a message and its reply's row in one transaction, has the reply written, and returns at once.
    ///
    /// What was asked for is done even if the caller goes away meanwhile.
    pub async fn send(&self, request: SendMessage) -> Result<Sent, Error> {
        let chat = self.clone();
        tokio::spawn(async move { chat.send_now(request).await })
            .await
            .unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
    }

    async fn send_now(&self, request: SendMessage) -> Result<Sent, Error> {
        let content = text::message(&request.content, self.limits.message_chars)?;
        let key = request.idempotency_key.as_deref().map(text::idempotency_key).transpose()?;
        let receipt = key.map(|key| (key, digest_of(request.conversation_id, content)));
        let (sent, new) = self
            .database
            .write(self.user(), |write| async move {
                if let Some((key, digest)) = &receipt
                    && let Some(sent) = self.sent_before(&write, key, digest).await?
                {
                    return Ok((write, (sent, false)));
                }
                let sent = self.store(&write, request.conversation_id, content, receipt).await?;
                Ok((write, (sent, true)))
            })
            .await?;
        if new {
            if sent.reply.status == Status::Generating {
                self.replies.write(sent.reply.clone());
            }
            self.announce();
        }
        Ok(sent)
    }

    /// What an earlier request with this key has become.
    async fn sent_before(&self, write: &Write, key: &str, digest: &[u8]) -> Result<Option<Sent>, Error> {
        let own = || message::Entity::find().filter(Column::UserId.eq(self.user()));
        let Some(message) = own().filter(Column::IdempotencyKey.eq(key)).one(&**write).await? else {
            return Ok(None);
        };
        if message.request_digest.as_deref() != Some(digest) {
            return Err(Error::IdempotencyMismatch);
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

    async fn store(
        &self,
        write: &Write,
        conversation_id: Option<Uuid>,
        content: &str,
        receipt: Option<(&str, Vec<u8>)>,
    ) -> Result<Sent, Error> {
        let (conversation, tail) = if let Some(id) = conversation_id {
            let extend = [
                (conversation::Column::LastPosition, Expr::col(conversation::Column::LastPosition).add(2)),
                (conversation::Column::UpdatedAt, Expr::value(write.now)),
            ];
            let conversation = self.update_conversation(write, id, extend).await?;
            let tail = self.tail(write, &conversation).await?;
            (conversation, tail)
        } else {
            let conversation = self.new_conversation(write, Some(text::derive_title(content)), 2);
            conversation::Entity::insert(conversation.clone().into_active_model())
                .exec_without_returning(&**write)
                .await?;
            (conversation, Tail::default())
        };
        let position = conversation.last_position - 1;
        let mut message = self.new_message(write, conversation.id, tail.id, position, Role::User);
        content.clone_into(&mut message.content);
        message.status = Status::Complete;
        message.finished_at = Some(write.now);
        if let Some((key, digest)) = receipt {
            message.idempotency_key = Some(key.to_owned());
            message.request_digest = Some(digest);
        }
        let mut reply =
            self.new_message(write, conversation.id, Some(message.id), position + 1, Role::Assistant);
        self.replies.admit(&mut reply, tail.busy, write.now);
        message::Entity::insert_many([
            message.clone().into_active_model(),
            reply.clone().into_active_model(),
        ])
        .exec_without_returning(&**write)
        .await?;
        Ok(Sent { conversation, message, reply })
    }

    /// The message before a pair that was just made room for, and whether a reply is under way.
    async fn tail(&self, write: &Write, conversation: &conversation::Model) -> Result<Tail, Error> {
        use sea_orm::ConnectionTrait;
        let statement = Statement::from_sql_and_values(
            write.get_database_backend(),
            TAIL,
            [
                Value::from(self.user()),
                Value::from(conversation.id),
                Value::from(conversation.last_position - 2),
            ],
        );
        let row = write.query_one_raw(statement).await?;
        Ok(row.map(|row| Tail::from_query_result(&row, "")).transpose()?.unwrap_or_default())
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
            created_at: write.now,
            finished_at: None,
            revision: write.revision,
        }
    }
}

/// What tells a retry from another request under the same key.
fn digest_of(conversation_id: Option<Uuid>, content: &str) -> Vec<u8> {
    let mut context = digest::Context::new(&SHA256);
    context.update(b"sendMessage\0");
    context.update(conversation_id.unwrap_or(Uuid::nil()).as_bytes());
    context.update(content.as_bytes());
    context.finish().as_ref().to_vec()
}
