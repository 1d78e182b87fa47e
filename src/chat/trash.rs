//! Deleting and restoring conversations.
//!
//! From the commit on, no query finds a deleted conversation. Its rows stay until [`crate::trash`] erases them.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::receipt::{Created, IdempotentRequest};
use super::update::{Outcomes, check_count, outcomes};
use super::{Chat, spawn_and_wait, unchanged};
use crate::database::Write;
use crate::entity::conversation::{self, Column, Entity};
use crate::error::Error;

/// How many conversations one transaction deletes when all are deleted.
const BATCH: u64 = 250;

/// A conversation to delete.
#[derive(Clone, Debug, Serialize)]
pub struct DeleteConversation {
    /// The conversation.
    pub id: Uuid,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// A conversation to restore.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreConversation {
    /// The conversation.
    pub id: Uuid,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// Conversations to delete.
#[derive(Clone, Debug, Serialize)]
pub struct DeleteConversations {
    /// The conversations.
    pub ids: Vec<Uuid>,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// Conversations to restore.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreConversations {
    /// The conversations.
    pub ids: Vec<Uuid>,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl Chat {
    /// Moves a conversation with all its messages to the trash. Its queued and running replies are stopped.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such conversation.
    pub async fn delete_conversation(&self, request: DeleteConversation) -> Result<(), Error> {
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "deleteConversation", &request)?;
        self.write((request.id, idempotent), |chat, write, (id, idempotent)| {
            Box::pin(async move {
                let found = if chat.is_repeated(write, idempotent.as_ref()).await? {
                    unchanged(write, chat.find_deleted(write, &[*id]).await?)
                } else {
                    chat.delete_within(write, &[*id]).await?
                };
                found.first().map(|_| ()).ok_or(Error::NotFound("conversation"))
            })
        })
        .await
    }

    /// Moves conversations with all their messages to the trash, in one transaction. Their queued and running replies
    /// are stopped. The outcomes lack those that the viewer does not have.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if there are more than [`super::MAX_CONVERSATIONS`].
    pub async fn delete_conversations(&self, request: DeleteConversations) -> Result<Outcomes, Error> {
        check_count(request.ids.len())?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "deleteConversations", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    let rows = chat.find_deleted(write, &request.ids).await?;
                    return Ok(unchanged(write, outcomes(rows)));
                }
                Ok(outcomes(chat.delete_within(write, &request.ids).await?))
            })
        })
        .await
    }

    /// What an earlier request has deleted: it is in the trash, unless it was restored since.
    async fn find_deleted(&self, write: &Write, ids: &[Uuid]) -> Result<Vec<conversation::Model>, Error> {
        let rows = Entity::find()
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.is_in(ids.iter().copied()))
            .filter(Column::ErasingAt.is_null());
        Ok(rows.all(&**write).await?)
    }

    /// Moves those of `ids` that are not deleted to the trash, and stops their replies.
    async fn delete_within(&self, write: &Write, ids: &[Uuid]) -> Result<Vec<conversation::Model>, Error> {
        let deleted = Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(write.now))
            .col_expr(Column::Revision, Expr::value(write.revision))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.is_in(ids.iter().copied()))
            .filter(Column::DeletedAt.is_null())
            .exec_with_returning(&**write)
            .await?;
        if deleted.is_empty() {
            write.clear_after_commit();
        } else {
            let ids: Vec<Uuid> = deleted.iter().map(|row| row.id).collect();
            self.interrupt(write, &ids).await?;
        }
        Ok(deleted)
    }

    /// Moves all of the viewer's conversations to the trash, archived ones too, in transactions of [`BATCH`], so that
    /// no other write of the viewer waits for all of them. It is done even if the caller drops the future; those that
    /// are created meanwhile stay. A request with the key of an earlier one deletes what that one has left, and nothing
    /// newer. Returns how many were deleted; `None` if there was an earlier request.
    pub async fn delete_all_conversations(
        &self,
        idempotency_key: Option<&str>,
    ) -> Result<Option<u64>, Error> {
        let idempotent = IdempotentRequest::new(idempotency_key, "deleteAllConversations", &())?;
        let chat = self.clone();
        spawn_and_wait(async move { chat.delete_in_batches(idempotent).await }).await
    }

    async fn delete_in_batches(&self, idempotent: Option<IdempotentRequest>) -> Result<Option<u64>, Error> {
        let (mut count, mut until) = (0, None);
        let mut repeated = false;
        let work = self.heavy_work();
        loop {
            let began = Instant::now();
            let batch = self.write((idempotent.clone(), until), |chat, write, (idempotent, until)| {
                Box::pin(chat.delete_batch(write, idempotent.as_ref(), *until))
            });
            let Batch { deleted, until: boundary, resumed } = batch.await?;
            repeated |= until.is_none() && resumed;
            count += deleted;
            if deleted < BATCH {
                return Ok((!repeated).then_some(count));
            }
            until = Some(boundary);
            work.rest_after(began).await;
        }
    }

    /// Deletes up to [`BATCH`] conversations that were created `until` then, or in the first batch until now. The receipt
    /// is written with the first batch, and says until the last one that the same request deletes the rest.
    async fn delete_batch(
        &self,
        write: &Write,
        idempotent: Option<&IdempotentRequest>,
        until: Option<DateTimeUtc>,
    ) -> Result<Batch, Error> {
        let earlier = match until {
            Some(_) => None,
            None => self.earlier_receipt(write, idempotent).await?,
        };
        if let Some(earlier) = earlier.as_ref().filter(|earlier| !earlier.unfinished) {
            return Ok(unchanged(write, Batch { deleted: 0, until: earlier.created_at, resumed: true }));
        }
        let resumed = earlier.is_some();
        let is_first = until.is_none() && !resumed;
        let until = until.or(earlier.map(|earlier| earlier.created_at)).unwrap_or(write.now);
        let ids: Vec<Uuid> = self
            .own_conversations()
            .filter(Column::CreatedAt.lte(until))
            .select_only()
            .column(Column::Id)
            .order_by_asc(Column::CreatedAt)
            .limit(BATCH)
            .into_tuple()
            .all(&**write)
            .await?;
        self.delete_within(write, &ids).await?;
        let deleted = ids.len() as u64;
        let unfinished = deleted == BATCH;
        if is_first {
            self.record_receipt(write, idempotent, Created::default()).await?;
        }
        if is_first == unfinished {
            self.mark_unfinished(write, idempotent, unfinished).await?;
        }
        Ok(Batch { deleted, until, resumed })
    }

    /// Restores a conversation from the trash with all its messages. Replies that were queued or running when it was
    /// deleted are stopped. A conversation that is not deleted does not change.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such conversation, or it has been in the trash for too long.
    pub async fn restore_conversation(
        &self,
        request: RestoreConversation,
    ) -> Result<conversation::Model, Error> {
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "restoreConversation", &request)?;
        self.write((request.id, idempotent), |chat, write, (id, idempotent)| {
            Box::pin(async move {
                let repeated = chat.is_repeated(write, idempotent.as_ref()).await?;
                let found = chat.restore_within(write, &[*id], repeated).await?;
                found.into_iter().next().ok_or(Error::NotFound("conversation"))
            })
        })
        .await
    }

    /// Restores conversations from the trash with all their messages, in one transaction. Replies that were queued or
    /// running when they were deleted are stopped. Those that are not in the trash do not change. The outcomes lack
    /// those that the viewer does not have, and those that have been in the trash for too long.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if there are more than [`super::MAX_CONVERSATIONS`].
    pub async fn restore_conversations(&self, request: RestoreConversations) -> Result<Outcomes, Error> {
        check_count(request.ids.len())?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "restoreConversations", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let repeated = chat.is_repeated(write, idempotent.as_ref()).await?;
                Ok(outcomes(chat.restore_within(write, &request.ids, repeated).await?))
            })
        })
        .await
    }

    /// Restores those of `ids` that are in the trash, unless the request is `repeated`, and returns all that the viewer
    /// has then.
    async fn restore_within(
        &self,
        write: &Write,
        ids: &[Uuid],
        repeated: bool,
    ) -> Result<Vec<conversation::Model>, Error> {
        let wanted = || Column::Id.is_in(ids.iter().copied());
        let mut restored = Vec::new();
        if !repeated {
            restored = Entity::update_many()
                .col_expr(Column::DeletedAt, Expr::value(None::<DateTimeUtc>))
                .col_expr(Column::RestoredRevision, Expr::value(write.revision))
                .col_expr(Column::Revision, Expr::value(write.revision))
                .filter(Column::UserId.eq(self.user()))
                .filter(wanted())
                .filter(self.restorable())
                .exec_with_returning(&**write)
                .await?;
        }
        if restored.is_empty() {
            write.clear_after_commit();
        }
        if restored.len() < ids.len() {
            restored = self.own_conversations().filter(wanted()).all(&**write).await?;
        }
        Ok(restored)
    }

    /// The condition that a conversation is in the trash and can be restored.
    pub(super) fn restorable(&self) -> SimpleExpr {
        Expr::col(Column::DeletedAt)
            .gt(self.database.clock().ago(self.limits.trash.keep))
            .and(Column::ErasingAt.is_null())
            // Spelled out, as the databases must see that the partial index applies.
            .and(Expr::cust("deleted_at IS NOT NULL AND erased_at IS NULL"))
    }
}

/// What one transaction has deleted.
struct Batch {
    deleted: u64,
    /// When the last of the conversations to delete was created at the latest.
    until: DateTimeUtc,
    /// Whether an earlier request with the same key began.
    resumed: bool,
}
