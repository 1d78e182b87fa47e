//! The end of the active path: what is there, what `onBusy` does to it, and truncating it.

use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr, UpdateStatement};
use sea_orm::{ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

use super::{Chat, OnBusy};
use crate::database::{Write, models};
use crate::entity::conversation;
use crate::entity::message::{Column, Entity, Status};
use crate::error::Error;
use crate::signal::Topic;
use crate::usage;

/// The end of a conversation's active path.
#[derive(FromQueryResult)]
pub(super) struct Tail {
    /// The last message.
    pub(super) id: Option<Uuid>,
    /// Whether a reply is queued or running in the conversation.
    pub(super) busy: bool,
}

/// The message at position `$3`. It is searched as the last one up to there: with an equality PostgreSQL may choose an
/// index that reads the whole path.
const TAIL: &str = "
SELECT
    (SELECT id FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active AND position <= $3
        ORDER BY position DESC LIMIT 1) AS id,
    EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'GENERATING')
    OR EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'QUEUED') AS busy";

/// The change of a conversation that puts stored messages on the active path, or takes messages off it. The messages
/// have no change of their own: that would take a revision of each, and an event of each to every device.
pub(super) fn path_changed(write: &Write) -> (conversation::Column, SimpleExpr) {
    (conversation::Column::PathRevision, Expr::value(write.revision))
}

/// What `onBusy` did to the replies that were queued or running.
#[derive(Default)]
pub(super) struct BusyOutcome {
    /// The positions on the active path whose replies were interrupted.
    interrupted: Vec<i64>,
    /// Whether the new reply has to be queued. It has to even if the running reply was asked to stop, until a server
    /// has closed that one.
    pub(super) busy: bool,
}

impl BusyOutcome {
    /// The last position before `end` that is not of a message whose reply was interrupted, or of that reply.
    pub(super) fn last_finished(&self, end: i64) -> i64 {
        let mut end = end;
        while self.interrupted.contains(&end) {
            end -= 2;
        }
        end
    }
}

impl Chat {
    /// The end of a path whose length already counts a new message and its reply.
    pub(super) async fn tail(
        &self,
        write: &Write,
        conversation: &conversation::Model,
    ) -> Result<Tail, Error> {
        let position = conversation.last_position - 2;
        Ok(write.only(TAIL, [self.user().into(), conversation.id.into(), position.into()]).await?)
    }

    /// Applies `on_busy` to the queued and running replies of a conversation that is `busy`.
    ///
    /// # Errors
    /// [`Error::ConversationBusy`] if it is [`OnBusy::Reject`].
    pub(super) async fn apply_on_busy(
        &self,
        write: &Write,
        conversation_id: Uuid,
        busy: bool,
        on_busy: OnBusy,
    ) -> Result<BusyOutcome, Error> {
        match on_busy {
            _ if !busy => Ok(BusyOutcome::default()),
            OnBusy::Enqueue => Ok(BusyOutcome { busy, ..BusyOutcome::default() }),
            OnBusy::Reject => Err(Error::ConversationBusy),
            OnBusy::Interrupt | OnBusy::Rollback => self.interrupt(write, &[conversation_id]).await,
        }
    }

    /// Stops the queued and running replies of conversations. Queued ones are stopped here; the servers of running ones
    /// are asked to stop them.
    pub(super) async fn interrupt(
        &self,
        write: &Write,
        conversation_ids: &[Uuid],
    ) -> Result<BusyOutcome, Error> {
        let under_way = |condition: &'static str| {
            Query::update()
                .table(Entity)
                .value(Column::StopRequestedAt, write.now)
                .value(Column::Revision, write.revision)
                .and_where(Column::UserId.eq(self.user()))
                .and_where(Column::ConversationId.is_in(conversation_ids.iter().copied()))
                .and_where(Expr::cust(condition))
                .returning(Query::returning().columns([Column::Id, Column::Active, Column::Position]))
                .to_owned()
        };
        let mut waiting = under_way("status = 'QUEUED'");
        waiting.value(Column::Status, Status::Stopped.to_value()).value(Column::FinishedAt, write.now);
        let waiting = interrupted(write, &waiting).await?;
        let cancelled: Vec<Uuid> = waiting.iter().map(|reply| reply.id).collect();
        usage::cancel(write, self.user(), &cancelled).await?;
        let running = interrupted(write, &under_way("status = 'GENERATING'")).await?;
        for reply in &waiting {
            self.signal_after_commit(write, Topic::Reply(reply.id));
        }
        for reply in &running {
            self.signal_after_commit(write, Topic::Stop(reply.id));
        }
        let active = waiting.iter().chain(&running).filter(|reply| reply.active);
        Ok(BusyOutcome {
            interrupted: active.map(|reply| reply.position).collect(),
            busy: !running.is_empty(),
        })
    }

    /// Takes the messages after position `keep` off the active path. The conversation's row has to tell of it; see
    /// [`path_changed`].
    pub(super) async fn truncate_path(
        &self,
        write: &Write,
        conversation_id: Uuid,
        keep: i64,
    ) -> Result<(), Error> {
        Entity::update_many()
            .col_expr(Column::Active, Expr::value(false))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::ConversationId.eq(conversation_id))
            .filter(Expr::col(Column::Active))
            .filter(Expr::col(Column::Position).gt(keep))
            .exec(&**write)
            .await?;
        Ok(())
    }
}

/// A reply that was interrupted.
#[derive(FromQueryResult)]
struct Interrupted {
    id: Uuid,
    active: bool,
    position: i64,
}

async fn interrupted(write: &Write, update: &UpdateStatement) -> Result<Vec<Interrupted>, Error> {
    let rows = write.query_all_raw(write.get_database_backend().build(update)).await?;
    Ok(models(&rows)?)
}
