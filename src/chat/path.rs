//! The active path's end, and taking it back.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Statement, Value,
};
use uuid::Uuid;

use super::{AfterCommit, Chat, OnBusy};
use crate::database::Write;
use crate::entity::conversation;
use crate::entity::message::{Column, Entity, Status};
use crate::error::Error;
use crate::signal::Topic;

/// What the end of a conversation's active path says.
#[derive(Default, FromQueryResult)]
pub(super) struct Tail {
    /// The last message.
    pub(super) id: Option<Uuid>,
    /// Whether a reply is under way in the conversation.
    pub(super) busy: bool,
}

/// The last message up to position `$3`, which is the one there: by equality several indexes look alike to PostgreSQL,
/// and all but one of them read the whole path.
const TAIL: &str = "
SELECT
    (SELECT id FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active AND position <= $3
        ORDER BY position DESC LIMIT 1) AS id,
    EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'GENERATING')
    OR EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $2 AND status = 'QUEUED') AS busy";

/// What stands before a new reply, once its request has had its way.
#[derive(Default)]
pub(super) struct Way {
    /// The positions on the active path whose replies were interrupted.
    interrupted: Vec<i64>,
    /// Whether the new reply has to wait: for one that is being written, even if it is to stop, its server, or the
    /// successor of that, has yet to close.
    pub(super) busy: bool,
}

impl Way {
    /// The last position before the turns at the path's `end` whose replies were interrupted.
    pub(super) fn finished_before(&self, end: i64) -> i64 {
        let mut end = end;
        while self.interrupted.contains(&end) {
            end -= 2;
        }
        end
    }
}

impl Chat {
    /// The message before a pair that was just made room for, and whether a reply is under way.
    pub(super) async fn tail(
        &self,
        write: &Write,
        conversation: &conversation::Model,
    ) -> Result<Tail, Error> {
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

    /// Does what `on_busy` says about the replies under way in a conversation that is `busy`.
    ///
    /// # Errors
    /// [`Error::ConversationBusy`] if it says so.
    pub(super) async fn clear_way(
        &self,
        write: &Write,
        conversation_id: Uuid,
        busy: bool,
        on_busy: OnBusy,
        after_commit: &mut AfterCommit,
    ) -> Result<Way, Error> {
        match on_busy {
            _ if !busy => Ok(Way::default()),
            OnBusy::Enqueue => Ok(Way { busy, ..Way::default() }),
            OnBusy::Reject => Err(Error::ConversationBusy),
            OnBusy::Interrupt | OnBusy::Rollback => {
                self.interrupt(write, Some(conversation_id), after_commit).await
            }
        }
    }

    /// Stops all replies under way in a conversation, or in all of the viewer's: those that wait at once, those that
    /// are being written by a word to their servers.
    pub(super) async fn interrupt(
        &self,
        write: &Write,
        conversation_id: Option<Uuid>,
        after_commit: &mut AfterCommit,
    ) -> Result<Way, Error> {
        let under_way = |condition: &'static str| {
            let update = Entity::update_many()
                .col_expr(Column::StopRequestedAt, Expr::value(write.now))
                .col_expr(Column::Revision, Expr::value(write.revision))
                .filter(Column::UserId.eq(self.user()))
                .filter(Expr::cust(condition));
            match conversation_id {
                Some(id) => update.filter(Column::ConversationId.eq(id)),
                None => update,
            }
        };
        let waiting = under_way("status = 'QUEUED'")
            .col_expr(Column::Status, Expr::value(Status::Stopped.to_value()))
            .col_expr(Column::FinishedAt, Expr::value(write.now))
            .exec_with_returning(&**write)
            .await?;
        let running = under_way("status = 'GENERATING'").exec_with_returning(&**write).await?;
        after_commit.signals.extend(waiting.iter().map(|reply| Topic::Reply(reply.id)));
        after_commit.signals.extend(running.iter().map(|reply| Topic::Stop(reply.id)));
        let active = waiting.iter().chain(&running).filter(|reply| reply.active);
        Ok(Way { interrupted: active.map(|reply| reply.position).collect(), busy: !running.is_empty() })
    }

    /// Takes what lies after position `keep` off the active path.
    pub(super) async fn cut(&self, write: &Write, conversation_id: Uuid, keep: i64) -> Result<(), Error> {
        Entity::update_many()
            .col_expr(Column::Active, Expr::value(false))
            .col_expr(Column::Revision, Expr::value(write.revision))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::ConversationId.eq(conversation_id))
            .filter(Expr::col(Column::Active))
            .filter(Expr::col(Column::Position).gt(keep))
            .exec(&**write)
            .await?;
        Ok(())
    }
}
