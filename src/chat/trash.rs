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
use super::tree::pause;
use super::update::{Outcomes, check_count, outcomes};
use super::{Chat, spawn_and_wait, unchanged};
use crate::database::Write;
use crate::entity::conversation::{self, Column, Entity};
use crate::error::Error;

/// How many conversations one transaction deletes when all are deleted.
const BATCH: u64 = 250;

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
    /// Moves conversations with all their messages to the trash, in one transaction. Their queued and running replies
    /// are stopped. The outcomes lack those that the viewer does not have.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if there are more than [`super::MAX_CONVERSATIONS`].
    pub async fn delete_conversations(&self, request: DeleteConversations) -> Result<Outcomes, Error> {
        check_count(&request.ids)?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "deleteConversations", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    // They are in the trash, unless they were restored since.
                    let rows = Entity::find()
                        .filter(Column::UserId.eq(chat.user()))
                        .filter(Column::Id.is_in(request.ids.iter().copied()))
                        .filter(Column::ErasingAt.is_null());
                    return Ok(unchanged(write, outcomes(rows.all(&**write).await?)));
                }
                Ok(outcomes(chat.delete_within(write, &request.ids).await?))
            })
        })
        .await
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
    /// are created meanwhile stay. Returns how many were deleted; `None` if an earlier request with the same key has
    /// deleted them.
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
        loop {
            let began = Instant::now();
            let batch = self.write((idempotent.clone(), until), |chat, write, (idempotent, until)| {
                Box::pin(chat.delete_batch(write, idempotent.as_ref(), *until))
            });
            let Some(batch) = batch.await? else { return Ok(None) };
            count += batch.deleted;
            if batch.deleted < BATCH {
                return Ok(Some(count));
            }
            until = Some(batch.until);
            pause(began).await;
        }
    }

    /// Deletes up to [`BATCH`] conversations that were created `until` then. The receipt is written with the last ones:
    /// after a server's death the same request deletes the rest.
    async fn delete_batch(
        &self,
        write: &Write,
        idempotent: Option<&IdempotentRequest>,
        until: Option<DateTimeUtc>,
    ) -> Result<Option<Batch>, Error> {
        if self.find_receipt(write, idempotent).await?.is_some() {
            return Ok(unchanged(write, None));
        }
        let until = until.unwrap_or(write.now);
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
        if deleted < BATCH {
            self.record_receipt(write, idempotent, Created::default()).await?;
        }
        Ok(Some(Batch { deleted, until }))
    }

    /// Restores conversations from the trash with all their messages, in one transaction. Replies that were queued or
    /// running when they were deleted are stopped. Those that are not in the trash do not change. The outcomes lack
    /// those that the viewer does not have, and those that have been in the trash for too long.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if there are more than [`super::MAX_CONVERSATIONS`].
    pub async fn restore_conversations(&self, request: RestoreConversations) -> Result<Outcomes, Error> {
        check_count(&request.ids)?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "restoreConversations", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let wanted = || Column::Id.is_in(request.ids.iter().copied());
                let mut restored = Vec::new();
                if !chat.is_repeated(write, idempotent.as_ref()).await? {
                    restored = Entity::update_many()
                        .col_expr(Column::DeletedAt, Expr::value(None::<DateTimeUtc>))
                        .col_expr(Column::RestoredRevision, Expr::value(write.revision))
                        .col_expr(Column::Revision, Expr::value(write.revision))
                        .filter(Column::UserId.eq(chat.user()))
                        .filter(wanted())
                        .filter(chat.restorable())
                        .exec_with_returning(&**write)
                        .await?;
                }
                if restored.is_empty() {
                    write.clear_after_commit();
                }
                if restored.len() < request.ids.len() {
                    restored = chat.own_conversations().filter(wanted()).all(&**write).await?;
                }
                Ok(outcomes(restored))
            })
        })
        .await
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
}
