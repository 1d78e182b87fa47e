//! How an attempt ends, and what is then due in its conversation.

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveEnum, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Statement, Value};
use uuid::Uuid;

use super::fence::still;
use super::{Claim, Replies};

use crate::database::Write;
use crate::entity::message::{self, Column, Failure, FailureCode, FinishReason, Status, ToolCalls, Usage};
use crate::error::Error;
use crate::search::{self, Entry};
use crate::signal::Topic;

/// What an attempt has brought when it ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: Status,
    pub(super) content: String,
    pub(super) tool_calls: ToolCalls,
    pub(super) finish_reason: Option<FinishReason>,
    pub(super) failure: Option<Failure>,
    pub(super) model: Option<String>,
    pub(super) usage: Option<Usage>,
}

impl Replies {
    /// Closes the attempt of `claim` and gives the user's next reply to this server, in one transaction. Returns that
    /// next reply. The entry makes the ending's text findable.
    ///
    /// Does nothing if the attempt is no longer this server's: its successor's word counts.
    pub(super) async fn end(
        &self,
        claim: &message::Model,
        ending: &Arc<(Ending, Entry)>,
    ) -> Result<Option<message::Model>, Error> {
        // Whoever else waits for the permit has it next.
        let may_go_on = self.0.permits.may_be_kept();
        let input = (self.clone(), claim.clone(), ending.clone());
        let (closed, next) = self
            .0
            .database
            .write(&claim.user_id, input, move |write, (replies, claim, ending)| {
                Box::pin(async move {
                    if !close(write, claim, &ending.0, &ending.1).await? {
                        return Ok((false, None));
                    }
                    let next = if may_go_on { replies.promote(write, &claim.user_id).await? } else { None };
                    Ok((true, next))
                })
            })
            .await?;
        self.announce(&claim.user_id, claim.id);
        if closed && ending.0.status == Status::Complete {
            self.entitle(claim);
        }
        if !may_go_on {
            self.signal(Topic::Orphans);
        }
        Ok(next)
    }

    /// Gives the first of the user's replies that wait and may begin to this server, if it may write one more. What
    /// it returns is to be written once the transaction is committed.
    pub(crate) async fn advance(&self, write: &Write, user: &str) -> Result<Option<Claim>, Error> {
        let Some(permit) = self.0.permits.take() else { return Ok(None) };
        let reply = self.promote(write, user).await?;
        Ok(reply.map(|reply| Claim { reply, permit }))
    }

    /// Tells readers of a reply, and its user's other devices, that there is news.
    pub(super) fn announce(&self, user: &str, reply: Uuid) {
        self.signal(Topic::Reply(reply));
        self.signal(Topic::of_user(user));
    }
}

/// The failure of a reply whose server died once too often.
pub(super) fn interrupted() -> Failure {
    Failure {
        code: FailureCode::Interrupted,
        message: "The server that wrote this reply stopped before its end.".to_owned(),
        retryable: true,
    }
}

/// Stores `ending` if `claim`'s lease and attempt still are what the row says; tells whether they were.
pub(super) async fn close(
    write: &Write,
    claim: &message::Model,
    ending: &Ending,
    entry: &Entry,
) -> Result<bool, Error> {
    let result = message::Entity::update_many()
        .col_expr(Column::Status, Expr::value(ending.status.to_value()))
        .col_expr(Column::Content, Expr::value(ending.content.as_str()))
        .col_expr(Column::ToolCalls, Expr::value(Value::from(ending.tool_calls.clone())))
        .col_expr(Column::FinishReason, Expr::value(ending.finish_reason.map(|reason| reason.to_value())))
        .col_expr(Column::Failure, Expr::value(ending.failure.clone()))
        .col_expr(Column::Model, Expr::value(ending.model.clone()))
        .col_expr(Column::Usage, Expr::value(ending.usage))
        .col_expr(Column::FinishedAt, Expr::value(write.now))
        .col_expr(Column::LeaseOwner, Expr::value(None::<Uuid>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<sea_orm::prelude::DateTimeUtc>))
        .col_expr(Column::Revision, Expr::value(write.revision))
        .filter(still(claim))
        .exec(&**write)
        .await?;
    let closed = result.rows_affected == 1;
    if closed {
        search::store_message(write, &claim.user_id, claim.id, entry).await?;
    }
    Ok(closed)
}

/// Begins the first reply of the conversation whose turn it is: of those in which none is being written, the one that
/// has waited longest. Not if the user has `$5` replies under way.
const PROMOTE: &str = "
UPDATE message
SET status = 'GENERATING', attempt = attempt + 1, lease_owner = $2, lease_until = $3, revision = $4,
    content = '', tool_calls = '[]', model = NULL
WHERE user_id = $1 AND id = (
    SELECT id FROM message
    WHERE user_id = $1 AND status = 'QUEUED' AND conversation_id = (
        SELECT conversation_id FROM message AS waiting
        WHERE user_id = $1 AND status = 'QUEUED' AND NOT EXISTS (
            SELECT 1 FROM message AS running
            WHERE running.user_id = $1 AND running.conversation_id = waiting.conversation_id
                AND running.status = 'GENERATING'
        )
        ORDER BY created_revision LIMIT 1
    )
    ORDER BY position, id LIMIT 1
) AND (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'GENERATING') < $5
RETURNING *";

impl Replies {
    /// Gives the next of the user's replies that wait to this server, if one may begin.
    pub(super) async fn promote(&self, write: &Write, user: &str) -> Result<Option<message::Model>, Error> {
        let options = &self.0.options;
        let statement = Statement::from_sql_and_values(
            write.get_database_backend(),
            PROMOTE,
            [
                Value::from(user),
                Value::from(self.0.server),
                Value::from(write.now + options.lease),
                Value::from(write.revision),
                Value::from(i64::from(options.user_replies)),
            ],
        );
        let row = write.query_one_raw(statement).await?;
        let promoted = row.map(|row| message::Model::from_query_result(&row, "")).transpose()?;
        if let Some(again) = promoted.as_ref().filter(|reply| reply.attempt > 1) {
            // The text of the attempt before is void.
            search::store_message(write, user, again.id, &Entry::default()).await?;
        }
        Ok(promoted)
    }
}
