//! Storing a running reply, and keeping its lease.

use std::convert::Infallible;
use std::time::Duration;

use sea_orm::sea_query::{Query, UpdateStatement};
use sea_orm::{DbErr, QueryResult, Value};
use tokio::time::{Instant, sleep};

use super::Replies;
use super::batch::{Done, Task};
use super::draft::Draft;
use super::fence::{RELEASED, owned_by};
use super::live::Live;
use crate::entity::message::{self, Column};
use crate::error::Error;
use crate::signal::Topic;

/// How many bytes of one reply are stored a second at most. Each checkpoint stores all of it again.
const BYTES_PER_SECOND: u32 = 256 * 1024;

/// How often the row of a reply that does not grow is checked for a request to stop, in case the signal was lost.
const STOP_POLL_PERIOD: Duration = Duration::from_millis(500);

/// What a checkpoint found in the row.
#[derive(Debug)]
pub(super) enum CheckpointOutcome {
    Continue,
    Stop,
    Fenced,
}

/// What is to be done with the row of a running reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Store the reply, and extend the lease.
    Store,
    /// Extend the lease.
    Lease,
    /// Look whether the reply is to stop.
    StopCheck,
}

/// When what is due of a running reply.
#[derive(Debug)]
pub(super) struct Schedule {
    lease: Duration,
    /// How many bytes were last stored.
    stored: usize,
    /// When more may be stored. The longer a reply is, the longer is the pause.
    store_at: Instant,
    extend_at: Instant,
    check_at: Instant,
}

impl Schedule {
    /// Of a reply whose lease was taken `now`.
    pub(super) fn new(lease: Duration, now: Instant) -> Self {
        Self { lease, stored: 0, store_at: now, extend_at: now + lease / 3, check_at: now + STOP_POLL_PERIOD }
    }

    /// What is due of a reply of `bytes`, and is done now.
    pub(super) fn next(&mut self, bytes: usize, now: Instant) -> Option<Due> {
        let due = if bytes > self.stored && now >= self.store_at {
            self.stored = bytes;
            self.store_at = now + Duration::from_secs(bytes as u64) / BYTES_PER_SECOND;
            Due::Store
        } else if now >= self.extend_at {
            Due::Lease
        } else if now >= self.check_at {
            Due::StopCheck
        } else {
            return None;
        };
        if due != Due::StopCheck {
            self.extend_at = now + self.lease / 3;
        }
        self.check_at = now + STOP_POLL_PERIOD;
        Some(due)
    }

    /// Makes due again what could not be done.
    pub(super) fn failed(&mut self) {
        self.stored = 0;
        let now = Instant::now();
        self.store_at = now;
        self.extend_at = now;
    }
}

impl Replies {
    /// Stores what was written so far, and extends the lease.
    pub(super) async fn checkpoint(
        &self,
        reply: &message::Model,
        draft: Draft,
        model: Option<String>,
    ) -> Result<CheckpointOutcome, Error> {
        let outcome = self.due(reply, Task::Store(draft, model)).await?;
        self.signal(Topic::Stored(reply.id));
        Ok(outcome)
    }

    /// Extends the lease.
    pub(super) async fn extend_lease(&self, reply: &message::Model) -> Result<CheckpointOutcome, Error> {
        self.due(reply, Task::Extend).await
    }

    /// Checks whether the reply is to stop, or is no longer this attempt's.
    pub(super) async fn check_stop(&self, reply: &message::Model) -> Result<CheckpointOutcome, Error> {
        self.due(reply, Task::Look).await
    }

    /// The next instant at which something may be due. It is the same for all replies, so that one statement is enough.
    pub(super) fn next_tick(&self) -> Instant {
        self.next_tick_of(self.options().checkpoint)
    }

    /// The next of the instants that are this `period` apart.
    pub(super) fn next_tick_of(&self, period: Duration) -> Instant {
        let period = period.as_nanos();
        let ticks = self.0.started.elapsed().as_nanos() / period + 1;
        self.0.started + Duration::from_nanos(u64::try_from(ticks * period).unwrap_or(u64::MAX))
    }

    /// Does `task` together with those of this server's other replies, or alone if that is not possible.
    async fn due(&self, reply: &message::Model, task: Task) -> Result<CheckpointOutcome, Error> {
        match self.0.batches.run(reply, task).await? {
            Done::Found(outcome) => Ok(outcome),
            Done::Left(task) => self.due_alone(reply, task).await,
        }
    }

    async fn due_alone(&self, reply: &message::Model, task: Task) -> Result<CheckpointOutcome, Error> {
        let mut update = self.extension(reply);
        match task {
            Task::Store(draft, model) => {
                set_draft(&mut update, draft).value(Column::Model, model);
            }
            Task::Extend => {}
            Task::Look => return self.look_alone(reply).await,
        }
        self.update_lease(&update).await
    }

    async fn look_alone(&self, reply: &message::Model) -> Result<CheckpointOutcome, Error> {
        let select = Query::select()
            .column(Column::StopRequestedAt)
            .from(message::Entity)
            .cond_where(owned_by(reply))
            .to_owned();
        let statement = self.0.database.backend().build(&select);
        outcome(self.0.database.row(statement).await?.as_ref())
    }

    /// Extends the lease until it is dropped.
    pub(super) async fn keep_lease(&self, reply: &message::Model) -> Infallible {
        loop {
            sleep(self.options().lease / 3).await;
            if let Err(error) = self.extend_lease(reply).await {
                error.log();
            }
        }
    }

    /// Releases the lease, so that another server takes the reply over at once. It does not count against the reply's
    /// restarts. The lease gets another owner, so a checkpoint that is still running can no longer extend it.
    pub(super) async fn release(&self, reply: &message::Model, live: &Live) {
        let mut update = Query::update().table(message::Entity).to_owned();
        set_draft(&mut update, live.draft())
            .value(Column::LeaseOwner, RELEASED)
            .value(Column::LeaseUntil, self.0.database.clock().now())
            // A number and not a sum: the statement may run twice.
            .value(Column::RestartsLeft, reply.restarts_left + 1)
            .cond_where(owned_by(reply))
            .returning_col(Column::StopRequestedAt);
        match self.update_lease(&update).await {
            Ok(_) => self.signal(Topic::Claimable),
            Err(error) => error.log(),
        }
    }

    fn extension(&self, reply: &message::Model) -> UpdateStatement {
        Query::update()
            .table(message::Entity)
            .value(Column::LeaseUntil, self.0.database.clock().in_future(self.options().lease))
            .cond_where(owned_by(reply))
            .returning_col(Column::StopRequestedAt)
            .to_owned()
    }

    async fn update_lease(&self, update: &UpdateStatement) -> Result<CheckpointOutcome, Error> {
        let statement = self.0.database.backend().build(update);
        outcome(self.0.database.update(statement).await?.as_ref())
    }
}

fn set_draft(update: &mut UpdateStatement, draft: Draft) -> &mut UpdateStatement {
    let parts = draft.stored_parts();
    update
        .value(Column::Content, draft.content)
        .value(Column::Reasoning, draft.reasoning)
        .value(Column::Parts, Value::from(parts))
}

fn outcome(row: Option<&QueryResult>) -> Result<CheckpointOutcome, Error> {
    let Some(row) = row else { return Ok(CheckpointOutcome::Fenced) };
    let asked: Option<sea_orm::prelude::DateTimeUtc> =
        row.try_get_by_index(0).map_err(|error: DbErr| Error::from(error))?;
    Ok(if asked.is_some() { CheckpointOutcome::Stop } else { CheckpointOutcome::Continue })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(9);
    const TICK: Duration = Duration::from_millis(250);

    /// What is due in the first `seconds` of a reply that grows by `growth` bytes at each tick from `bytes` on.
    fn plan(mut bytes: usize, growth: usize, seconds: u32) -> Vec<(Duration, Due, usize)> {
        let start = Instant::now();
        let mut schedule = Schedule::new(LEASE, start);
        let mut plan = Vec::new();
        for tick in 1..=seconds * 4 {
            if let Some(due) = schedule.next(bytes, start + TICK * tick) {
                plan.push((TICK * tick, due, bytes));
            }
            bytes += growth;
        }
        plan
    }

    #[test]
    fn a_short_reply_is_stored_at_each_tick() {
        assert!(plan(1, 16, 60).iter().all(|(_, due, _)| *due == Due::Store));
        assert_eq!(plan(1, 16, 60).len(), 240);
    }

    #[test]
    fn a_long_reply_is_stored_at_a_bounded_rate_and_its_lease_extended_in_time() {
        let plan = plan(4 << 20, 16, 300);
        let stored: usize = plan.iter().filter(|step| step.1 == Due::Store).map(|step| step.2).sum();
        let seconds = stored / BYTES_PER_SECOND as usize;
        assert!((200..320).contains(&seconds), "{stored}");
        let extended: Vec<_> =
            plan.iter().filter(|step| step.1 != Due::StopCheck).map(|step| step.0).collect();
        assert!(extended.windows(2).all(|pair| pair[1] <= pair[0] + LEASE / 3 + TICK), "{extended:?}");
    }

    #[test]
    fn a_reply_that_does_not_grow_is_not_stored_again() {
        let plan = plan(16, 0, 30);
        assert_eq!(plan.iter().filter(|step| step.1 == Due::Store).count(), 1);
        assert!(
            plan.iter().any(|step| step.1 == Due::Lease) && plan.iter().any(|step| step.1 == Due::StopCheck)
        );
    }

    #[test]
    fn what_has_failed_is_due_at_once() {
        let now = Instant::now();
        let mut schedule = Schedule::new(LEASE, now);
        assert_eq!(schedule.next(4 << 20, now), Some(Due::Store));
        assert_eq!(schedule.next(4 << 20, now), None);
        schedule.failed();
        assert_eq!(schedule.next(4 << 20, Instant::now()), Some(Due::Store));
    }
}
