//! Finding replies that no living server writes, and taking them over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::contact::Contact;
use super::ending::{Ending, close, interrupted};
use super::fence::{Attempt, NOBODY, still};
use super::permits::Permit;
use super::waiting::Turn;
use super::{Claim, Replies};
use crate::entity::message::{self, Column, Status};
use crate::error::{Error, note_service};
use crate::random::jittered;
use crate::search::Entry;
use crate::signal::Topic;

/// How often to look.
const PERIOD: Duration = Duration::from_secs(1);

/// How many replies to take over at a look; the next look takes more.
pub(super) const BATCH: usize = 64;

/// How long to wait after a rescue that failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// A running reply whose lease has run out.
#[derive(FromQueryResult)]
struct Orphan {
    user_id: String,
    id: Uuid,
    attempt: i32,
    restarts_left: i32,
    lease_owner: Option<Uuid>,
    stop_requested_at: Option<DateTimeUtc>,
}

impl Orphan {
    /// Whether it may not be begun anew.
    fn must_end(&self) -> bool {
        self.stop_requested_at.is_some() || self.restarts_left <= 0
    }

    fn attempt(&self) -> Attempt {
        Attempt { user: self.user_id.clone(), id: self.id, number: self.attempt, server: self.lease_owner }
    }
}

/// What this server is about to rescue, by reply or by user: a slow one is not begun again at each look.
#[derive(Clone, Default)]
pub(super) struct Rescues(Arc<Mutex<HashSet<String>>>);

impl Rescues {
    /// Notes that a rescue begins; `None` if it has begun before and not ended.
    pub(super) fn begin(&self, what: &str) -> Option<UnderWay> {
        let new = self.lock().insert(what.to_owned());
        new.then(|| UnderWay { rescues: self.clone(), what: what.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A rescue, until it is dropped.
pub(super) struct UnderWay {
    rescues: Rescues,
    what: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.rescues.lock().remove(&self.what);
    }
}

impl Replies {
    /// Looks for orphans and for replies that wait about once a second, and at once when a server gives replies up or
    /// has room for those that wait, until the server drains.
    pub(super) async fn sweep(self) {
        let mut listener = self.0.signals.listen(Topic::Orphans);
        let rescues = Rescues::default();
        let mut contact = Contact::new(self.0.options.lease, Instant::now());
        let mut turn = Turn::default();
        loop {
            tokio::select! {
                () = sleep(jittered(PERIOD)) => {}
                () = listener.woken() => {}
                () = self.0.permits.freed() => {}
                () = self.0.draining.cancelled() => return,
            }
            let look = async {
                self.take_over(&rescues, &mut contact).await?;
                self.begin_waiting(&rescues, &mut turn).await
            };
            match look.await {
                Ok(()) => note_service(),
                Err(error) => {
                    contact.lost(Instant::now());
                    error.log();
                }
            }
        }
    }

    async fn take_over(&self, rescues: &Rescues, contact: &mut Contact) -> Result<(), Error> {
        let orphans = self.expired(contact.is_settled()).await?;
        contact.made(Instant::now());
        for orphan in orphans {
            // Perhaps it was the database that was silent: the next checkpoint extends the lease.
            let mine = orphan.lease_owner == Some(self.0.server) && self.is_running(orphan.id);
            if mine || !(contact.is_settled() || orphan.lease_owner == Some(NOBODY)) {
                continue;
            }
            let Some(under_way) = rescues.begin(&orphan.id.to_string()) else { continue };
            let must_end = orphan.must_end();
            let permit = if must_end { self.0.permits.take() } else { self.0.permits.take_in_turn() };
            if must_end || permit.is_some() {
                let replies = self.clone();
                self.rescue(under_way, async move { replies.succeed(&orphan, permit).await });
            }
        }
        Ok(())
    }

    /// Runs `rescue` beside all others, and has what it brings written. A server that froze within a transaction
    /// keeps its user's rows locked: that must not hold up the replies of others.
    pub(super) fn rescue(
        &self,
        under_way: UnderWay,
        rescue: impl Future<Output = Result<Option<Claim>, Error>> + Send + 'static,
    ) {
        let replies = self.clone();
        self.0.tasks.spawn(async move {
            match rescue.await {
                Ok(Some(claim)) => {
                    replies.write(claim);
                    drop(under_way);
                    // There may be more where it came from.
                    replies.0.permits.look_again();
                }
                Ok(None) => {}
                Err(error) => {
                    error.log();
                    replies.0.draining.run_until_cancelled(sleep(FAILURE_PAUSE)).await;
                }
            }
        });
    }

    /// Running replies whose lease has run out; unless this server is `settled`, only its own and those that were given
    /// up. Those that need a permit are left out as long as there is none.
    async fn expired(&self, settled: bool) -> Result<Vec<Orphan>, Error> {
        let mut query = message::Entity::find()
            .select_only()
            .columns([
                Column::UserId,
                Column::Id,
                Column::Attempt,
                Column::RestartsLeft,
                Column::LeaseOwner,
                Column::StopRequestedAt,
            ])
            // Spelled out, as the databases must see that the partial index applies.
            .filter(Expr::cust("status = 'GENERATING'"))
            .filter(Expr::col(Column::LeaseUntil).lt(self.0.database.clock().now()))
            .order_by_asc(Column::LeaseUntil);
        if !settled {
            query = query.filter(Column::LeaseOwner.is_in([NOBODY, self.0.server]));
        }
        if self.0.permits.left() == 0 {
            query = query.filter(Column::StopRequestedAt.is_not_null().or(Column::RestartsLeft.lte(0)));
        }
        // Its own may be among them.
        let limit = BATCH + self.lock_running().len();
        let query = query.limit(limit as u64);
        self.0.database.read(|connection| Box::pin(query.clone().into_model().all(connection))).await
    }

    /// Makes this server the successor of a silent one, or closes the reply if that may not be. Returns what this
    /// server is now to write: the reply's next attempt, or the user's next reply.
    async fn succeed(&self, orphan: &Orphan, permit: Option<Permit>) -> Result<Option<Claim>, Error> {
        let next = if orphan.must_end() {
            self.end_orphan(orphan, permit.is_some()).await?
        } else {
            self.restart(orphan).await?
        };
        tracing::info!(
            reply = %orphan.id, attempt = orphan.attempt, ended = orphan.must_end(), taken_over = next.is_some(),
            "a reply's server is gone",
        );
        self.announce(&orphan.user_id, orphan.id);
        Ok(next.zip(permit).map(|(reply, permit)| Claim { reply, permit }))
    }

    /// Closes a reply with what it has of text. Returns the user's next reply, if this server `may_go_on`.
    async fn end_orphan(&self, orphan: &Orphan, may_go_on: bool) -> Result<Option<message::Model>, Error> {
        let row = message::Entity::find().filter(still(orphan.attempt()));
        let row = self.0.database.read(|connection| Box::pin(row.clone().one(connection))).await?;
        let Some(row) = row else { return Ok(None) };
        let entry = Entry::prepare(&row.user_id, row.content.clone()).await?;
        let stopped = orphan.stop_requested_at.is_some();
        let ending = Ending {
            status: if stopped { Status::Stopped } else { Status::Failed },
            content: row.content.clone(),
            tool_calls: row.tool_calls.clone(),
            finish_reason: None,
            failure: (!stopped).then(interrupted),
            model: row.model.clone(),
            usage: None,
        };
        self.0
            .database
            .write(&orphan.user_id, (self.clone(), row, ending, entry), move |write, input| {
                Box::pin(async move {
                    let (replies, row, ending, entry) = input;
                    // The server may have come back to life since the look, or another one been quicker.
                    let lock = message::Entity::update_many()
                        .col_expr(Column::LeaseUntil, Expr::value(write.now + replies.0.options.lease))
                        .filter(still(row))
                        .filter(Column::LeaseUntil.lt(write.now))
                        .exec(&**write)
                        .await?;
                    let closed = lock.rows_affected == 1 && close(write, row, ending, entry).await?;
                    if closed && may_go_on { replies.promote(write, &row.user_id).await } else { Ok(None) }
                })
            })
            .await
    }

    /// Makes this server's next attempt of a reply. Returns it, unless another server was quicker, or the first one has
    /// come back to life.
    async fn restart(&self, orphan: &Orphan) -> Result<Option<message::Model>, Error> {
        self.0
            .database
            .write(&orphan.user_id, (self.clone(), orphan.attempt()), |write, (replies, attempt)| {
                Box::pin(async move {
                    let restarted = message::Entity::update_many()
                        .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
                        .col_expr(Column::RestartsLeft, Expr::col(Column::RestartsLeft).sub(1))
                        .col_expr(Column::LeaseOwner, Expr::value(replies.0.server))
                        .col_expr(Column::LeaseUntil, Expr::value(write.now + replies.0.options.lease))
                        .col_expr(Column::Content, Expr::value(""))
                        .col_expr(Column::Revision, Expr::value(write.revision))
                        .filter(still(attempt.clone()))
                        .filter(Column::LeaseUntil.lt(write.now))
                        .exec_with_returning(&**write)
                        .await?;
                    Ok(restarted.into_iter().next())
                })
            })
            .await
    }
}
