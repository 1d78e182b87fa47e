//! Finding replies without a living server, and taking them over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, Statement};
use tokio::time::sleep;
use uuid::Uuid;

use super::Replies;
use super::ending::{Ending, close, interrupted, promote};
use super::fence::still;
use crate::entity::message::{self, Column, Status};
use crate::error::{Error, note_service};
use crate::random::jittered;
use crate::signal::Topic;

/// How often to look.
const PERIOD: Duration = Duration::from_secs(1);

/// How many replies to take over at a look; the next look takes more.
const BATCH: u64 = 64;

/// Conversations in which replies wait though none is running.
const STRANDED: &str = "
SELECT DISTINCT user_id, conversation_id FROM message AS queued
WHERE status = 'QUEUED' AND NOT EXISTS (
    SELECT 1 FROM message AS running
    WHERE running.user_id = queued.user_id AND running.conversation_id = queued.conversation_id
        AND running.status = 'GENERATING'
)
LIMIT 64";

#[derive(FromQueryResult)]
struct Stranded {
    user_id: String,
    conversation_id: Uuid,
}

/// The replies and conversations that this server is about to rescue: a slow one is not begun again at each look.
#[derive(Clone, Default)]
struct Rescues(Arc<Mutex<HashSet<Uuid>>>);

impl Rescues {
    /// Notes that a rescue begins; `None` if it has begun before and not ended.
    fn begin(&self, id: Uuid) -> Option<UnderWay> {
        self.lock().insert(id).then(|| UnderWay { rescues: self.clone(), id })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A rescue, until it is dropped.
struct UnderWay {
    rescues: Rescues,
    id: Uuid,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.rescues.lock().remove(&self.id);
    }
}

impl Replies {
    /// Looks for orphans about once a second, and at once when a server gives replies up, until the server drains.
    pub(super) async fn sweep(self) {
        let mut listener = self.0.signals.listen(Topic::Orphans);
        let rescues = Rescues::default();
        loop {
            tokio::select! {
                () = sleep(jittered(PERIOD)) => {}
                () = listener.woken() => {}
                () = self.0.draining.cancelled() => return,
            }
            match self.take_over(&rescues).await {
                Ok(()) => note_service(),
                Err(error) => error.log(),
            }
        }
    }

    async fn take_over(&self, rescues: &Rescues) -> Result<(), Error> {
        for orphan in self.expired().await? {
            let replies = self.clone();
            self.rescue(rescues, orphan.id, async move { replies.succeed(&orphan).await });
        }
        for Stranded { user_id, conversation_id } in self.stranded().await? {
            let replies = self.clone();
            self.rescue(rescues, conversation_id, async move {
                let database = replies.0.database.clone();
                let input = (replies, user_id.clone());
                database
                    .write(&user_id, input, move |write, (replies, user)| {
                        Box::pin(replies.advance(write, user, conversation_id))
                    })
                    .await
            });
        }
        Ok(())
    }

    /// Runs `rescue` beside all others, and has what it brings written. A server that froze within a transaction
    /// keeps its user's rows locked: that must not hold up the replies of others.
    fn rescue(
        &self,
        rescues: &Rescues,
        id: Uuid,
        rescue: impl Future<Output = Result<Option<message::Model>, Error>> + Send + 'static,
    ) {
        let Some(under_way) = rescues.begin(id) else { return };
        let replies = self.clone();
        self.0.tasks.spawn(async move {
            match rescue.await {
                Ok(Some(reply)) => replies.write(reply),
                Ok(None) => {}
                Err(error) => error.log(),
            }
            drop(under_way);
        });
    }

    /// Running replies whose lease has run out.
    async fn expired(&self) -> Result<Vec<message::Model>, Error> {
        use sea_orm::QuerySelect;
        let now = self.0.database.clock().now();
        self.0
            .database
            .read(|connection| {
                let expired = message::Entity::find()
                    // Spelled out, as the databases must see that the partial index applies.
                    .filter(Expr::cust("status = 'GENERATING'"))
                    .filter(Expr::col(Column::LeaseUntil).lt(now.clone()))
                    .limit(BATCH);
                Box::pin(expired.all(connection))
            })
            .await
    }

    async fn stranded(&self) -> Result<Vec<Stranded>, Error> {
        let statement = Statement::from_string(self.0.database.backend(), STRANDED);
        self.0
            .database
            .read(|connection| {
                let statement = statement.clone();
                Box::pin(async move {
                    let rows = connection.query_all_raw(statement).await?;
                    rows.iter().map(|row| Stranded::from_query_result(row, "")).collect::<Result<_, DbErr>>()
                })
            })
            .await
    }

    /// Makes this server the successor of a dead one, or closes the reply if that may not be. Returns what this
    /// server is now to write: the reply's next attempt, or the conversation's next reply.
    async fn succeed(&self, orphan: &message::Model) -> Result<Option<message::Model>, Error> {
        let end = |status, failure| Ending {
            status,
            content: orphan.content.clone(),
            tool_calls: orphan.tool_calls.clone(),
            finish_reason: None,
            failure,
            model: orphan.model.clone(),
            usage: None,
        };
        let ending = if orphan.stop_requested_at.is_some() {
            Some(end(Status::Stopped, None))
        } else if orphan.restarts_left <= 0 {
            Some(end(Status::Failed, Some(interrupted())))
        } else {
            None
        };
        let status = ending.as_ref().map(|ending| ending.status);
        let input = (self.clone(), orphan.clone(), ending);
        let next = self
            .0
            .database
            .write(&orphan.user_id, input, |write, (replies, orphan, ending)| {
                Box::pin(async move {
                    let (server, options) = (replies.0.server, &replies.0.options);
                    // The server may have come back to life since the look, or another one been quicker.
                    let lock = message::Entity::update_many()
                        .col_expr(Column::LeaseUntil, Expr::value(write.now + options.lease))
                        .filter(still(orphan))
                        .filter(Column::LeaseUntil.lt(write.now))
                        .exec(&**write)
                        .await?;
                    let next = if lock.rows_affected == 0 {
                        None
                    } else if let Some(ending) = ending {
                        close(write, orphan, ending).await?;
                        promote(write, &orphan.user_id, orphan.conversation_id, server, options).await?
                    } else {
                        message::Entity::update_many()
                            .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
                            .col_expr(Column::RestartsLeft, Expr::col(Column::RestartsLeft).sub(1))
                            .col_expr(Column::LeaseOwner, Expr::value(server))
                            .col_expr(Column::Content, Expr::value(""))
                            .col_expr(Column::Revision, Expr::value(write.revision))
                            .filter(Column::UserId.eq(orphan.user_id.as_str()))
                            .filter(Column::Id.eq(orphan.id))
                            .exec_with_returning(&**write)
                            .await?
                            .pop()
                    };
                    Ok(next)
                })
            })
            .await?;
        tracing::info!(
            reply = %orphan.id, attempt = orphan.attempt, ending = ?status,
            taken_over = next.is_some(), "a reply's server is gone",
        );
        self.announce(orphan);
        Ok(next)
    }
}
