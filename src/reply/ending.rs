//! How an attempt ends, and what is then due in its conversation.

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, PaginatorTrait,
    QueryFilter, Statement, Value,
};
use uuid::Uuid;

use super::fence::still;
use super::{Inner, Options, Replies};
use crate::assistant::{Failure, FailureCode};
use crate::database::Write;
use crate::entity::message::{self, Column, FinishReason, Status, ToolCalls};
use crate::error::Error;
use crate::search;
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
    pub(super) usage: Option<message::Usage>,
}

impl Replies {
    /// Closes the attempt of `claim` and gives the conversation's next queued reply to this server, in one
    /// transaction. Returns that next reply.
    ///
    /// Does nothing if the attempt is no longer this server's: its successor's word counts.
    pub(super) async fn end(
        &self,
        claim: &message::Model,
        ending: &Arc<Ending>,
    ) -> Result<Option<message::Model>, Error> {
        let input = (self.clone(), claim.clone(), ending.clone());
        let (closed, next) = self
            .0
            .database
            .write(&claim.user_id, input, |write, (replies, claim, ending)| {
                Box::pin(async move {
                    if !close(write, claim, ending).await? {
                        return Ok((false, None));
                    }
                    let Inner { draining, server, options, .. } = &*replies.0;
                    let next = if draining.is_cancelled() {
                        None
                    } else {
                        promote(write, &claim.user_id, claim.conversation_id, *server, options).await?
                    };
                    Ok((true, next))
                })
            })
            .await?;
        self.announce(claim);
        if closed && ending.status == Status::Complete {
            self.entitle(claim);
        }
        if next.is_none() && self.0.draining.is_cancelled() {
            self.signal(Topic::Orphans);
        }
        Ok(next)
    }

    /// Gives the first queued reply of a conversation in which none is running to this server. Returns it if there
    /// was one: it is to be written once the transaction is committed.
    pub(crate) async fn advance(
        &self,
        write: &Write,
        user: &str,
        conversation: Uuid,
    ) -> Result<Option<message::Model>, Error> {
        if self.0.draining.is_cancelled() || is_running(&**write, user, conversation).await? {
            return Ok(None);
        }
        promote(write, user, conversation, self.0.server, &self.0.options).await
    }

    /// Tells readers of a reply, and its user's other devices, that there is news.
    pub(super) fn announce(&self, reply: &message::Model) {
        self.signal(Topic::Reply(reply.id));
        self.signal(Topic::of_user(&reply.user_id));
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
pub(super) async fn close(write: &Write, claim: &message::Model, ending: &Ending) -> Result<bool, Error> {
    let result = message::Entity::update_many()
        .col_expr(Column::Status, Expr::value(ending.status.to_value()))
        .col_expr(Column::Content, Expr::value(ending.content.as_str()))
        .col_expr(Column::ToolCalls, Expr::value(Value::from(ending.tool_calls.clone())))
        .col_expr(Column::FinishReason, Expr::value(ending.finish_reason.map(|reason| reason.to_value())))
        .col_expr(Column::Failure, Expr::value(ending.failure.clone().map(message::Failure)))
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
        search::index_message(write, &claim.user_id, claim.id, &ending.content).await?;
    }
    Ok(closed)
}

const PROMOTE: &str = "
UPDATE message
SET status = 'GENERATING', attempt = attempt + 1, lease_owner = $3, lease_until = $4, revision = $5,
    content = '', tool_calls = '[]', model = NULL
WHERE user_id = $1 AND id = (
    SELECT id FROM message
    WHERE user_id = $1 AND conversation_id = $2 AND status = 'QUEUED'
    ORDER BY position, id LIMIT 1
)
RETURNING *";

/// Gives the first queued reply of a conversation in which none is running to `server`.
pub(super) async fn promote(
    write: &Write,
    user: &str,
    conversation: Uuid,
    server: Uuid,
    options: &Options,
) -> Result<Option<message::Model>, Error> {
    let statement = Statement::from_sql_and_values(
        write.get_database_backend(),
        PROMOTE,
        [
            Value::from(user),
            Value::from(conversation),
            Value::from(server),
            Value::from(write.now + options.lease),
            Value::from(write.revision),
        ],
    );
    let row = write.query_one_raw(statement).await?;
    let promoted = row.map(|row| message::Model::from_query_result(&row, "")).transpose()?;
    if let Some(again) = promoted.as_ref().filter(|reply| reply.attempt > 1) {
        // The text of the attempt before is void.
        search::index_message(write, user, again.id, "").await?;
    }
    Ok(promoted)
}

async fn is_running(
    connection: &impl ConnectionTrait,
    user: &str,
    conversation: Uuid,
) -> Result<bool, DbErr> {
    let running = message::Entity::find()
        .filter(Column::UserId.eq(user))
        .filter(Column::ConversationId.eq(conversation))
        .filter(Expr::cust("status = 'GENERATING'"));
    Ok(running.count(connection).await? > 0)
}
