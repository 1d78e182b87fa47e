//! Changes of too many messages for one transaction are made in steps.
//!
//! A step is a transaction like any other. After each one the rules of the tree hold; the active path is only shorter
//! than it will be, or fewer messages are deleted. Other writes come in between, but writes of the same tree fail
//! because the conversation is busy. The conversation's row says what is left to do, so any server can continue.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::path::path_changed;
use super::super::unread::read_at_most;
use super::super::{Chat, Limits, spawn_and_wait};
use super::traversal::{BranchPlan, PIECE};
use crate::auth::{UserId, Viewer};
use crate::background;
use crate::database::{Database, Write};
use crate::entity::conversation::{self, Column, Entity};
use crate::error::Error;
use crate::memory::{Memory, MemoryBudget};
use crate::reply::Replies;

/// How often to look for steps that a lost server has left.
const PERIOD: Duration = Duration::from_secs(5);

/// How long a server may take for a step before another one continues.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How many conversations one pass continues.
const BATCH: u64 = 16;

/// How often the steps may be planned anew because another server has taken one.
const MAX_PLANS: usize = 100;

/// How far the active path has come.
enum PathState {
    /// The path has yet to be truncated to the last common message.
    Truncating,
    /// The path has yet to be extended.
    Extending,
    /// Another server has taken a step, so the plan is outdated.
    Outdated,
    /// The path is complete.
    Done,
}

/// Returns the conversation if it has no steps left.
///
/// # Errors
/// [`Error::ConversationBusy`] if it has.
pub(in super::super) fn ensure_no_steps(row: conversation::Model) -> Result<conversation::Model, Error> {
    if row.step_at.is_some() { Err(Error::ConversationBusy) } else { Ok(row) }
}

/// A budget for work that no request may stop half-way.
fn unlimited() -> MemoryBudget {
    Memory::new(usize::MAX).budget("", usize::MAX)
}

impl Chat {
    /// The same, but what it reads is not taken out of the request's budget.
    pub(super) fn unbudgeted(&self) -> Self {
        Self { budget: unlimited(), ..self.clone() }
    }

    /// Takes all steps that are left in a conversation, even if the caller drops the future, and returns it.
    pub(super) async fn finish_steps(&self, conversation_id: Uuid) -> Result<conversation::Model, Error> {
        let chat = self.unbudgeted();
        spawn_and_wait(async move { chat.take_steps(conversation_id).await }).await
    }

    async fn take_steps(&self, conversation_id: Uuid) -> Result<conversation::Model, Error> {
        for _ in 0..MAX_PLANS {
            let row = self.conversation(conversation_id).await?.ok_or(Error::NotFound("conversation"))?;
            match (row.deletion_id, row.path_target_id) {
                (Some(root), _) => self.delete_in_steps(conversation_id, root).await?,
                (None, Some(target)) => self.set_path_in_steps(conversation_id, target).await?,
                (None, None) => return Ok(Arc::unwrap_or_clone(row)),
            }
        }
        Err(Error::Internal("the steps in a conversation do not end".to_owned()))
    }

    /// Sets the active path to message `target` and its newest descendant.
    async fn set_path_in_steps(&self, conversation_id: Uuid, target: Uuid) -> Result<(), Error> {
        let position = self.message(target).await?.ok_or(Error::NotFound("message"))?.position;
        // It gets no more descendants before the last step.
        let leaf = self.newest_of_descendants(conversation_id, target, position).await?;
        let plan = Arc::new(self.plan_branch(leaf.id, false).await?);
        let mut extending = false;
        let work = self.heavy_work();
        loop {
            let began = Instant::now();
            let state = self
                .write((plan.clone(), extending), move |chat, write, (plan, extending)| {
                    Box::pin(chat.path_step(write, conversation_id, target, plan, *extending))
                })
                .await?;
            match state {
                PathState::Truncating => {}
                PathState::Extending => extending = true,
                PathState::Outdated | PathState::Done => return Ok(()),
            }
            work.rest_after(began).await;
        }
    }

    async fn path_step(
        &self,
        write: &Write,
        conversation_id: Uuid,
        target: Uuid,
        plan: &BranchPlan,
        extending: bool,
    ) -> Result<PathState, Error> {
        let row = self.conversation_within(write, conversation_id).await?;
        let last = row.last_position;
        if row.path_target_id != Some(target) {
            return Ok(PathState::Done);
        }
        if !extending && last > plan.ancestor {
            let keep = Ord::max(plan.ancestor, last - PIECE);
            self.truncate_path(write, conversation_id, keep).await?;
            let length = (Column::LastPosition, Expr::value(keep));
            let changes = [length, read_at_most(keep), path_changed(write), step_at(write)];
            self.update_conversation(write, conversation_id, changes).await?;
            return Ok(if keep == plan.ancestor { PathState::Extending } else { PathState::Truncating });
        }
        let Some(step_end) = plan.step_ends.iter().find(|step_end| step_end.position > last) else {
            self.update_conversation(write, conversation_id, clear_target(last)).await?;
            return Ok(PathState::Done);
        };
        if step_end.position - last > PIECE {
            return Ok(PathState::Outdated);
        }
        let branch_point =
            self.read_branch_point(write, conversation_id, Some(step_end.id), step_end.position).await?;
        if branch_point.ancestor(Some(step_end.id), step_end.position).ok() != Some(last) {
            return Ok(PathState::Outdated);
        }
        self.activate_branch(write, Some(step_end.id)).await?;
        let mut changes = vec![(Column::LastPosition, Expr::value(step_end.position)), path_changed(write)];
        let ends = plan.step_ends.last().is_some_and(|last| last.id == step_end.id);
        if ends {
            changes.extend(clear_target(step_end.position));
        } else {
            changes.push(step_at(write));
        }
        self.update_conversation(write, conversation_id, changes).await?;
        Ok(if ends { PathState::Done } else { PathState::Extending })
    }
}

/// The change of a conversation that says when the last step was taken.
pub(super) fn step_at(write: &Write) -> (Column, SimpleExpr) {
    (Column::StepAt, Expr::value(write.now))
}

/// The changes of a conversation whose path is to be set to `target` and its newest descendant in steps. The path is
/// then read up to `read`, or else as a whole.
pub(super) fn set_target(write: &Write, target: Uuid, read: Option<SimpleExpr>) -> [(Column, SimpleExpr); 3] {
    let read = read.unwrap_or_else(|| Expr::value(None::<i64>));
    [(Column::PathTargetId, Expr::value(target)), (Column::PathTargetRead, read), step_at(write)]
}

/// The changes of a conversation whose path of `length` messages is complete.
fn clear_target(length: i64) -> [(Column, SimpleExpr); 4] {
    let read = Func::coalesce([Expr::col(Column::PathTargetRead), Expr::value(length)]);
    [
        (Column::ReadPosition, read.into()),
        (Column::PathTargetId, Expr::value(None::<Uuid>)),
        (Column::PathTargetRead, Expr::value(None::<i64>)),
        (Column::StepAt, Expr::value(None::<sea_orm::prelude::DateTimeUtc>)),
    ]
}

/// Continues the steps that lost servers have left, in the background, until `shutdown`.
pub fn resume_steps(database: Database, replies: Replies, limits: Limits, shutdown: CancellationToken) {
    background::repeat(PERIOD, shutdown, move || {
        let (database, replies) = (database.clone(), replies.clone());
        async move { resume(&database, &replies, limits).await }
    });
}

/// Takes over the steps of a conversation, unless another server has since. It counts as a step: if the next one fails,
/// other conversations come first.
async fn claim(database: &Database, user: &str, id: Uuid) -> Result<bool, Error> {
    let claim = Query::update()
        .table(Entity)
        .value(Column::StepAt, database.clock().now())
        .and_where(Column::UserId.eq(user))
        .and_where(Column::Id.eq(id))
        .and_where(Expr::col(Column::StepAt).lt(database.clock().ago(STEP_TIMEOUT)))
        .returning_col(Column::Id)
        .to_owned();
    Ok(database.update(database.backend().build(&claim)).await?.is_some())
}

/// Runs one pass. It always returns `false`, as steps that fail wait for the next period.
async fn resume(database: &Database, replies: &Replies, limits: Limits) -> Result<bool, Error> {
    let silent = Entity::find()
        .select_only()
        .columns([Column::UserId, Column::Id])
        // Spelled out, as the databases must see that the partial index applies.
        .filter(Expr::cust("step_at IS NOT NULL"))
        .filter(Expr::col(Column::StepAt).lt(database.clock().ago(STEP_TIMEOUT)))
        .filter(Column::DeletedAt.is_null())
        // Those that keep failing come last.
        .order_by_asc(Column::StepAt)
        .limit(BATCH);
    let found: Vec<(String, Uuid)> =
        database.read(|connection| Box::pin(silent.clone().into_tuple().all(connection))).await?;
    for (user, id) in found {
        let owner = UserId::new(&user).map_err(Error::Internal)?;
        let viewer = Viewer::new(owner, chrono::DateTime::<chrono::Utc>::MAX_UTC);
        if !claim(database, &user, id).await? {
            continue;
        }
        let chat = Chat::new(database.clone(), replies.clone(), limits, viewer, unlimited());
        // Whatever takes longer continues beside the others.
        match timeout(PERIOD, chat.finish_steps(id)).await {
            Ok(Ok(_)) => tracing::info!(conversation = %id, "took the steps that a lost server had left"),
            Ok(Err(error)) => error.log(),
            Err(_) => {}
        }
    }
    Ok(false)
}
