//! What touches too many messages for one transaction is done in steps.
//!
//! A step is a transaction like any other: after each one the rules of the tree hold, the active path is merely shorter
//! than it is to be, or less is deleted. Other writes come in between, but none of the same tree: those are told that the
//! conversation is busy. What is left to do is in the conversation's row, so that any server can go on where one
//! has died.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::unread::read_at_most;
use super::super::{AfterCommit, Chat, Limits, to_its_end};
use super::climb::Way;
use crate::auth::{UserId, Viewer};
use crate::background;
use crate::database::{Database, Write};
use crate::entity::conversation::{self, Column, Entity};
use crate::error::Error;
use crate::memory::Memory;
use crate::reply::Replies;

/// How many messages one transaction moves, copies or deletes at most.
pub(super) const STEP: i64 = 1000;

/// How often to look for what a server has left undone.
const PERIOD: Duration = Duration::from_secs(5);

/// How long a server may take for a step before another one goes on.
const SILENCE: Duration = Duration::from_secs(10);

/// How many conversations to go on with at a look.
const BATCH: u64 = 16;

/// How often the rest may be planned anew because another server was quicker.
const PLANS: usize = 100;

/// What a step has left to do.
enum Left {
    /// The path has yet to be cut back to where the branches part.
    Cut,
    /// The path has yet to be led on.
    Join,
    /// It is not as planned: another server has taken a step.
    Unplanned,
    /// Nothing.
    Nothing,
}

/// The conversation, if nothing is left to do in its tree.
///
/// # Errors
/// [`Error::ConversationBusy`] if something is.
pub(in super::super) fn settled(row: conversation::Model) -> Result<conversation::Model, Error> {
    if row.step_at.is_some() { Err(Error::ConversationBusy) } else { Ok(row) }
}

impl Chat {
    /// Takes all steps that are left in a conversation, even if the caller goes away, and returns it.
    pub(super) async fn settle(&self, conversation_id: Uuid) -> Result<conversation::Model, Error> {
        let chat = self.clone();
        to_its_end(async move { chat.take_steps(conversation_id).await }).await
    }

    async fn take_steps(&self, conversation_id: Uuid) -> Result<conversation::Model, Error> {
        for _ in 0..PLANS {
            let row = self.conversation(conversation_id).await?.ok_or(Error::NotFound("conversation"))?;
            match (row.deletion_id, row.path_target_id) {
                (Some(root), _) => self.delete_in_steps(conversation_id, root).await?,
                (None, Some(target)) => self.lead_in_steps(conversation_id, target).await?,
                (None, None) => return Ok(Arc::unwrap_or_clone(row)),
            }
        }
        Err(Error::Internal("the steps in a conversation do not end".to_owned()))
    }

    /// Leads the active path to message `target`.
    async fn lead_in_steps(&self, conversation_id: Uuid, target: Uuid) -> Result<(), Error> {
        let position = self.message(target).await?.ok_or(Error::NotFound("message"))?.position;
        // Nothing comes to hang below it before the last step.
        let leaf = self.newest_of_many(conversation_id, target, position).await?;
        let way = Arc::new(self.way_to(leaf.id, false).await?);
        let mut joins = false;
        loop {
            let left = self
                .write((way.clone(), joins), move |chat, write, (way, joins)| {
                    Box::pin(async move {
                        let left = chat.lead_step(write, conversation_id, target, way, *joins).await?;
                        Ok((left, AfterCommit::default()))
                    })
                })
                .await?;
            match left {
                Left::Cut => {}
                Left::Join => joins = true,
                Left::Unplanned | Left::Nothing => return Ok(()),
            }
        }
    }

    async fn lead_step(
        &self,
        write: &Write,
        conversation_id: Uuid,
        target: Uuid,
        way: &Way,
        joins: bool,
    ) -> Result<Left, Error> {
        let row = self.conversation_within(write, conversation_id).await?;
        let last = row.last_position;
        if row.path_target_id != Some(target) {
            return Ok(Left::Nothing);
        }
        if !joins && last > way.junction {
            let keep = Ord::max(way.junction, last - STEP);
            self.cut(write, conversation_id, keep).await?;
            let changes = [(Column::LastPosition, Expr::value(keep)), read_at_most(keep), step_at(write)];
            self.update_conversation(write, conversation_id, changes).await?;
            return Ok(if keep == way.junction { Left::Join } else { Left::Cut });
        }
        let Some(stop) = way.stops.iter().find(|stop| stop.position > last) else {
            self.update_conversation(write, conversation_id, no_target(last)).await?;
            return Ok(Left::Nothing);
        };
        if stop.position - last > STEP {
            return Ok(Left::Unplanned);
        }
        let standing = self.stand(write, conversation_id, Some(stop.id), stop.position).await?;
        if standing.junction(Some(stop.id), stop.position).ok() != Some(last) {
            return Ok(Left::Unplanned);
        }
        self.join(write, Some(stop.id)).await?;
        let mut changes = vec![(Column::LastPosition, Expr::value(stop.position))];
        let ends = way.stops.last().is_some_and(|last| last.id == stop.id);
        if ends {
            changes.extend(no_target(stop.position));
        } else {
            changes.push(step_at(write));
        }
        self.update_conversation(write, conversation_id, changes).await?;
        Ok(if ends { Left::Nothing } else { Left::Join })
    }
}

/// The change of a conversation in which a step is taken now.
pub(super) fn step_at(write: &Write) -> (Column, SimpleExpr) {
    (Column::StepAt, Expr::value(write.now))
}

/// The changes of a conversation whose path is to be led to `target` and on to the newest message below it; it is read up to
/// `read` then, or else as a whole.
pub(super) fn new_target(write: &Write, target: Uuid, read: Option<SimpleExpr>) -> [(Column, SimpleExpr); 3] {
    let read = read.unwrap_or_else(|| Expr::value(None::<i64>));
    [(Column::PathTargetId, Expr::value(target)), (Column::PathTargetRead, read), step_at(write)]
}

/// The changes of a conversation whose path of `length` messages is where it is to be.
fn no_target(length: i64) -> [(Column, SimpleExpr); 4] {
    let read = Func::coalesce([Expr::col(Column::PathTargetRead), Expr::value(length)]);
    [
        (Column::ReadPosition, read.into()),
        (Column::PathTargetId, Expr::value(None::<Uuid>)),
        (Column::PathTargetRead, Expr::value(None::<i64>)),
        (Column::StepAt, Expr::value(None::<sea_orm::prelude::DateTimeUtc>)),
    ]
}

/// Goes on with what servers have left undone when they died, beside requests, until `shutdown`.
pub fn resume_steps(database: Database, replies: Replies, limits: Limits, shutdown: CancellationToken) {
    background::repeat(PERIOD, shutdown, move || {
        let (database, replies) = (database.clone(), replies.clone());
        async move { resume(&database, &replies, limits).await }
    });
}

/// Tells that there is no more to do: what it leaves has failed just now, and waits for the next time.
async fn resume(database: &Database, replies: &Replies, limits: Limits) -> Result<bool, Error> {
    let silent = Entity::find()
        .select_only()
        .columns([Column::UserId, Column::Id])
        // Spelled out, as the databases must see that the partial index applies.
        .filter(Expr::cust("step_at IS NOT NULL"))
        .filter(Expr::col(Column::StepAt).lt(database.clock().ago(SILENCE)))
        .filter(Column::DeletedAt.is_null())
        .limit(BATCH);
    let found: Vec<(String, Uuid)> =
        database.read(|connection| Box::pin(silent.clone().into_tuple().all(connection))).await?;
    for (user, id) in found {
        let user = UserId::new(&user).map_err(Error::Internal)?;
        let viewer = Viewer::new(user, chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let budget = Memory::new(usize::MAX).budget("", usize::MAX);
        let chat = Chat::new(database.clone(), replies.clone(), limits, viewer, budget);
        match chat.settle(id).await {
            Ok(_) => tracing::info!(conversation = %id, "took the steps that another server had left"),
            Err(error) => error.log(),
        }
    }
    Ok(false)
}
