//! Taking over replies whose leases have expired.

use std::time::Duration;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Value};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::closing::close;
use super::connectivity::Connectivity;
use super::draft::Draft;
use super::ending::{Ending, interrupted};
use super::fence::{Attempt, RELEASED, owned_by};
use super::pending::{PendingClaim, PendingClaims};
use super::permits::ReplyPermit;
use super::queue::{BATCH, RoundRobin};
use super::{Claim, Replies};
use crate::database::now;
use crate::entity::message::{self, Column, Parts, Status, Usage};
use crate::error::{Error, note_service};
use crate::index::Entry;
use crate::random::jittered;
use crate::signal::Topic;
use crate::usage::{self, UnderWay};

/// How often the database is checked.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a claim stays pending after it has failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// A running reply whose lease has expired.
#[derive(FromQueryResult)]
struct ExpiredReply {
    user_id: String,
    id: Uuid,
    attempt: i32,
    restarts_left: i32,
    lease_owner: Option<Uuid>,
    stop_requested_at: Option<DateTimeUtc>,
}

impl ExpiredReply {
    /// Whether it is closed in place of being restarted.
    fn must_end(&self) -> bool {
        self.stop_requested_at.is_some() || self.restarts_left <= 0
    }

    fn attempt(&self) -> Attempt {
        Attempt { user: self.user_id.clone(), id: self.id, number: self.attempt, server: self.lease_owner }
    }
}

impl Replies {
    /// Takes over expired replies and starts queued ones until the server drains: about once a second, and at once when
    /// a server releases replies or this one has a permit for queued ones.
    pub(super) async fn sweep(self) {
        let mut listener = self.0.signals.listen(Topic::Claimable);
        let pending = PendingClaims::default();
        let mut connectivity =
            Connectivity::new(self.0.options.lease, self.0.database.backend(), Instant::now());
        let mut round_robin = RoundRobin::default();
        loop {
            tokio::select! {
                () = sleep(jittered(PERIOD)) => {}
                () = listener.woken() => {}
                () = self.0.permits.freed() => {}
                () = self.0.draining.cancelled() => return,
            }
            self.0.histories.forget_old(Instant::now());
            let sweep = async {
                self.take_over_expired(&pending, &mut connectivity).await?;
                self.start_queued(&pending, &mut round_robin).await
            };
            match sweep.await {
                Ok(()) => note_service(),
                Err(error) => {
                    connectivity.failed(Instant::now());
                    error.log();
                }
            }
        }
    }

    async fn take_over_expired(
        &self,
        pending: &PendingClaims,
        connectivity: &mut Connectivity,
    ) -> Result<(), Error> {
        let expired_replies = self.expired(connectivity.is_stable()).await?;
        connectivity.succeeded(Instant::now());
        if let Some(instant) = self.0.batches.stalled_at() {
            connectivity.failed(instant);
        }
        for expired in expired_replies {
            // The database may have been unavailable; the next checkpoint extends the lease.
            let mine = expired.lease_owner == Some(self.0.server) && self.is_running(expired.id);
            if mine || !(connectivity.is_stable() || expired.lease_owner == Some(RELEASED)) {
                continue;
            }
            let Some(guard) = pending.begin(&expired.id.to_string()) else { continue };
            let must_end = expired.must_end();
            let permit = if must_end { self.0.permits.take() } else { self.0.permits.take_for_queued() };
            if must_end || permit.is_some() {
                let replies = self.clone();
                self.spawn_claim(guard, async move { replies.take_over(&expired, permit).await });
            }
        }
        Ok(())
    }

    /// Runs `claim` in a task of its own, and generates the claimed reply. A server that froze within a transaction
    /// keeps its user's rows locked, which must not delay the replies of other users.
    pub(super) fn spawn_claim(
        &self,
        guard: PendingClaim,
        claim: impl Future<Output = Result<Option<Claim>, Error>> + Send + 'static,
    ) {
        let replies = self.clone();
        self.0.tasks.spawn(async move {
            match claim.await {
                Ok(Some(claim)) => {
                    replies.generate(claim);
                    drop(guard);
                    // The user may have more queued replies.
                    replies.0.permits.recheck();
                }
                Ok(None) => {}
                Err(error) => {
                    error.log();
                    replies.0.draining.run_until_cancelled(sleep(FAILURE_PAUSE)).await;
                }
            }
        });
    }

    /// Running replies whose leases have expired; unless the connection is `stable`, only this server's and released
    /// ones. Those that need a permit are left out while there is none.
    async fn expired(&self, stable: bool) -> Result<Vec<ExpiredReply>, Error> {
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
        if !stable {
            query = query.filter(Column::LeaseOwner.is_in([RELEASED, self.0.server]));
        }
        if self.0.permits.left() == 0 {
            query = query.filter(Column::StopRequestedAt.is_not_null().or(Column::RestartsLeft.lte(0)));
        }
        // This server's own running replies may be among them.
        let limit = BATCH + self.lock_running().len();
        let query = query.limit(limit as u64);
        self.0.database.read(|connection| Box::pin(query.clone().into_model().all(connection))).await
    }

    /// Restarts the reply in this server, or closes it if it has no attempts left. Returns what this server generates
    /// next: the reply's next attempt, or the user's next queued reply.
    async fn take_over(
        &self,
        expired: &ExpiredReply,
        permit: Option<ReplyPermit>,
    ) -> Result<Option<Claim>, Error> {
        let next = if expired.must_end() {
            self.end_expired(expired, permit.is_some()).await?
        } else {
            self.restart(expired).await?
        };
        tracing::info!(
            reply = %expired.id, attempt = expired.attempt, ended = expired.must_end(), taken_over = next.is_some(),
            "reply lease expired",
        );
        self.signal_change(&expired.user_id, expired.id);
        Ok(next.zip(permit).map(|(reply, permit)| Claim { reply, permit, turn: None }))
    }

    /// Closes a reply with the text that was stored. Returns the user's next queued reply if this server `has_permit`.
    async fn end_expired(
        &self,
        expired: &ExpiredReply,
        has_permit: bool,
    ) -> Result<Option<message::Model>, Error> {
        let row = message::Entity::find().filter(owned_by(expired.attempt()));
        let row = self.0.database.read(|connection| Box::pin(row.clone().one(connection))).await?;
        let Some(row) = row else { return Ok(None) };
        let entry = Entry::prepare(&row.user_id, row.content.clone()).await?;
        let stopped = expired.stop_requested_at.is_some();
        let mut draft = Draft::of(&row);
        draft.finish(now());
        let used = self.lost(&row).await?;
        let ending = Ending {
            status: if stopped { Status::Stopped } else { Status::Failed },
            draft,
            finish_reason: None,
            failure: (!stopped).then(interrupted),
            model: row.model.clone(),
            usage: used,
        };
        self.0
            .database
            .write_to_outcome(&expired.user_id, (self.clone(), row, ending, entry), move |write, input| {
                Box::pin(async move {
                    let (replies, row, ending, entry) = input;
                    // Its server may have extended the lease meanwhile, or another one taken it.
                    let lock = message::Entity::update_many()
                        .col_expr(Column::LeaseUntil, Expr::value(write.now + replies.0.options.lease))
                        .filter(owned_by(row))
                        .filter(Column::LeaseUntil.lt(write.now))
                        .exec(&**write)
                        .await?;
                    let closed = lock.rows_affected == 1 && close(write, row, ending, entry).await?.is_some();
                    if closed && has_permit { replies.promote(write, &row.user_id).await } else { Ok(None) }
                })
            })
            .await
    }

    /// What the request for a reply has used by estimate that its server left.
    async fn lost(&self, row: &message::Model) -> Result<Option<Usage>, Error> {
        let sql = usage::under_way_sql(1);
        let statement = self.0.database.statement(sql, [row.user_id.as_str().into(), row.id.into()]);
        let found = self.0.database.row(statement).await?;
        let request = found.map(|found| UnderWay::from_query_result(&found, "")).transpose()?;
        Ok(request.map(|request| self.ledger().lost(&request)))
    }

    /// Leases the reply's next attempt to this server, settles what the one before has used, and reserves as much again.
    /// Returns the reply, unless another server was quicker or the lease was
    /// extended meanwhile.
    async fn restart(&self, expired: &ExpiredReply) -> Result<Option<message::Model>, Error> {
        self.0
            .database
            .write_to_outcome(
                &expired.user_id,
                (self.clone(), expired.attempt()),
                |write, (replies, attempt)| {
                    Box::pin(async move {
                        // What was written so far is about to be discarded.
                        let lost = usage::under_way(write, &attempt.user, &[attempt.id]).await?;
                        let restarted = message::Entity::update_many()
                            .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
                            .col_expr(Column::RestartsLeft, Expr::col(Column::RestartsLeft).sub(1))
                            .col_expr(Column::LeaseOwner, Expr::value(replies.0.server))
                            .col_expr(Column::LeaseUntil, Expr::value(write.now + replies.0.options.lease))
                            .col_expr(Column::Content, Expr::value(""))
                            .col_expr(Column::Reasoning, Expr::value(""))
                            .col_expr(Column::Parts, Expr::value(Value::from(Parts::default())))
                            .col_expr(Column::Revision, Expr::value(write.revision))
                            .filter(owned_by(attempt.clone()))
                            .filter(Column::LeaseUntil.lt(write.now))
                            .exec_with_returning(&**write)
                            .await?;
                        if !restarted.is_empty() {
                            for request in &lost {
                                replies.ledger().settle_lost(write, &attempt.user, request).await?;
                                replies.ledger().reserve_again(write, &attempt.user, attempt.id).await?;
                            }
                        }
                        Ok(restarted.into_iter().next())
                    })
                },
            )
            .await
    }
}
