//! Following, stopping and retrying the viewer's replies.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveEnum, ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde::Serialize;
use uuid::Uuid;

use super::receipt::{Created, IdempotentRequest};
use super::tree::ensure_no_steps;
use super::{Chat, unchanged};
use crate::database::Write;
use crate::entity::message::{self, Column, Entity, Parts, Role, Status};
use crate::error::Error;
use crate::index::{self, Entry};
use crate::reply::{Claim, ReplyEvents, ReplyPosition};
use crate::signal::Topic;
use crate::usage;

/// A reply to stop.
#[derive(Clone, Debug, Serialize)]
pub struct StopReply {
    /// The reply.
    pub message_id: Uuid,
    /// The idempotency key: a second request with the same key stops nothing, and waits as the first one does.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// A reply to begin again.
#[derive(Clone, Debug, Serialize)]
pub struct RetryReply {
    /// The reply.
    pub message_id: Uuid,
    /// The idempotency key: a second request with the same key returns the reply as it is.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl RetryReply {
    /// Its receipt.
    pub(super) fn idempotent(&self) -> Result<Option<IdempotentRequest>, Error> {
        IdempotentRequest::new(self.idempotency_key.as_deref(), "retryReply", self)
    }
}

impl Chat {
    /// Waits until a reply has ended, on whichever server.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply, or no longer.
    pub async fn reply_ended(&self, id: Uuid) -> Result<message::Model, Error> {
        self.replies.wait_for_end(self.user(), id).await
    }

    /// Follows a reply from a position on; see [`crate::reply::Replies::progress`].
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply.
    pub async fn reply_progress(&self, id: Uuid, after: Option<ReplyPosition>) -> Result<ReplyEvents, Error> {
        let budget = self.budget.clone();
        match self.replies.followed_attempt(self.user(), id).await {
            Ok(Some(attempt)) => Ok(self.replies.progress_since(self.user(), id, after, attempt, budget)),
            Ok(None) => Err(Error::NotFound("reply")),
            // The reader waits while the database is unavailable, as it does later on.
            Err(error) if error.is_unavailable() => Ok(self.replies.progress(self.user(), id, after, budget)),
            Err(error) => Err(error),
        }
    }

    /// Follows a reply of the viewer's from its start. Nothing is read of one that this server generates.
    #[must_use]
    pub fn follow_own_reply(&self, reply: &message::Model) -> ReplyEvents {
        self.replies.progress_of(reply, None, self.budget.clone())
    }

    /// Stops a reply, on whichever server, and returns it once it has ended. Its text so far is kept. A reply that has
    /// ended already does not change.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply.
    pub async fn stop_reply(&self, request: StopReply) -> Result<message::Model, Error> {
        let id = request.message_id;
        let idempotent = IdempotentRequest::new(request.idempotency_key.as_deref(), "stopReply", &request)?;
        self.write(idempotent, move |chat, write, idempotent| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    write.clear_after_commit();
                } else {
                    chat.request_stop(write, id).await?;
                }
                Ok(())
            })
        })
        .await?;
        self.reply_ended(id).await
    }

    async fn request_stop(&self, write: &Write, id: Uuid) -> Result<(), Error> {
        let reply = self.own_reply(write, id).await?;
        let stop = Entity::update_many()
            .col_expr(Column::StopRequestedAt, Expr::value(write.now))
            .col_expr(Column::Revision, Expr::value(write.revision))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(id));
        match reply.status {
            Status::Queued => {
                stop.col_expr(Column::Status, Expr::value(Status::Stopped.to_value()))
                    .col_expr(Column::FinishedAt, Expr::value(write.now))
                    .exec(&**write)
                    .await?;
                usage::cancel(write, self.user(), &[id]).await?;
                self.signal_after_commit(write, Topic::Reply(id));
            }
            Status::Generating => {
                stop.exec(&**write).await?;
                self.signal_after_commit(write, Topic::Stop(id));
            }
            Status::Complete | Status::Stopped | Status::Failed => write.clear_after_commit(),
        }
        Ok(())
    }

    /// Starts another attempt of a reply that failed or was stopped, and returns at once. A reply that is queued or
    /// running does not change.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply, or may no longer choose its assistant; [`Error::InvalidState`]
    /// if it is complete; [`Error::TooManyQueued`] if it would have to be queued, and the viewer has as many queued replies
    /// as allowed; [`Error::QuotaExceeded`].
    pub async fn retry_reply(&self, request: RetryReply) -> Result<message::Model, Error> {
        let (id, idempotent) = (request.message_id, request.idempotent()?);
        let created = Created { reply: Some(id), ..Created::default() };
        self.write(idempotent, move |chat, write, idempotent| {
            Box::pin(async move {
                match chat.record_receipt(write, idempotent.as_ref(), created).await? {
                    Some(earlier) => Ok(unchanged(write, chat.created_message(write, earlier.reply).await?)),
                    None => chat.retry(write, id).await,
                }
            })
        })
        .await
    }

    async fn retry(&self, write: &Write, id: Uuid) -> Result<message::Model, Error> {
        let mut reply = self.own_reply(write, id).await?;
        match reply.status {
            Status::Queued | Status::Generating => return Ok(unchanged(write, reply)),
            Status::Complete => {
                return Err(Error::InvalidState("Only a reply that failed or was stopped can be retried."));
            }
            Status::Stopped | Status::Failed => {}
        }
        let conversation =
            ensure_no_steps(self.update_conversation(write, reply.conversation_id, []).await?)?;
        let busy = self.tail(write, &conversation).await?.busy;
        self.signal_after_commit(write, Topic::Reply(id));
        let context = self.replies.context(write, self.user(), conversation.id).await?;
        // Whoever was asked is asked again, and nobody else.
        self.chosen_assistant([reply.assistant_id.as_deref(), None, None])?;
        let permit = self.permit_reply(write, &context, busy)?;
        // While its row says what it has used.
        self.reserve(write, &reply, Some(id), "").await?;
        self.replies.lease_or_queue(&mut reply, permit.as_ref(), write.now);
        if permit.is_some() {
            reply.content.clear();
            reply.reasoning.clear();
            reply.parts = Parts::default();
            reply.model = None;
            index::store_message(write, self.user(), id, &Entry::default()).await?;
        }
        let reply = self.store_retry(write, reply).await?;
        if let Some(permit) = permit {
            self.generate_after_commit(write, Claim { reply: reply.clone(), permit, turn: None });
        }
        Ok(reply)
    }

    /// Stores a reply that is queued or running again.
    async fn store_retry(&self, write: &Write, reply: message::Model) -> Result<message::Model, Error> {
        let retried = message::Model {
            finish_reason: None,
            failure: None,
            usage: None,
            // The rating was of the attempt before.
            rating: None,
            rating_comment: None,
            stop_requested_at: None,
            finished_at: None,
            revision: write.revision,
            ..reply
        };
        let row = retried.clone().into_active_model().reset_all();
        Entity::update_many()
            .set(row)
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(retried.id))
            .exec(&**write)
            .await?;
        Ok(retried)
    }

    pub(super) async fn own_reply(&self, write: &Write, id: Uuid) -> Result<message::Model, Error> {
        let row = self
            .own_messages()
            .filter(Column::Id.eq(id))
            .filter(Column::Role.eq(Role::Assistant))
            .one(&**write)
            .await?;
        row.ok_or(Error::NotFound("reply"))
    }
}
