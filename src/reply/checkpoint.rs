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

/// How many rows a server stores a second, about, while it writes many replies; with texts as long as [`ROW_BYTES`], half
/// as many. A row takes PostgreSQL about 100 µs of a processor, and one that is longer than its pages like, twice that.
/// With 1,000 replies of 20 words a second, rows that were stored four times a second took half of PostgreSQL's time.
const ROWS_PER_SECOND: u32 = 400;

/// How many bytes of text take as long to store as their row.
const ROW_BYTES: usize = 2 * 1024;

/// How often the row of a reply that does not grow is checked for a request to stop, in case the signal was lost; more
/// seldom while there are many.
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
    /// When more may be stored. The longer a reply is, and the more there are, the longer is the pause.
    store_at: Instant,
    extend_at: Instant,
    check_at: Instant,
}

impl Schedule {
    /// Of a reply, one of so many `running` ones, whose lease was taken `now`.
    pub(super) fn new(lease: Duration, running: usize, now: Instant) -> Self {
        let extend_at = now + lease / 3;
        let schedule = Self { lease, stored: 0, store_at: now, extend_at, check_at: now };
        let pause = schedule.pause(0, running);
        Self { store_at: now + pause, check_at: now + STOP_POLL_PERIOD.max(pause), ..schedule }
    }

    /// What is due of a reply of `bytes`, one of so many `running` ones, and is done now.
    pub(super) fn next(&mut self, bytes: usize, running: usize, now: Instant) -> Option<Due> {
        let due = if bytes > self.stored && now >= self.store_at {
            self.stored = bytes;
            self.store_at = now + self.pause(bytes, running);
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
        self.check_at = now + STOP_POLL_PERIOD.max(self.pause(0, running));
        Some(due)
    }

    /// Before when nothing is due.
    pub(super) fn next_at(&self) -> Instant {
        self.store_at.min(self.extend_at).min(self.check_at)
    }

    /// Makes due again what could not be done.
    pub(super) fn failed(&mut self) {
        self.stored = 0;
        let now = Instant::now();
        self.store_at = now;
        self.extend_at = now;
    }

    /// For how long a reply is not stored after it had `bytes`. However many there are, it is a third of the lease at most,
    /// as the row is then written in any case.
    fn pause(&self, bytes: usize, running: usize) -> Duration {
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        let row = Duration::from_secs((1 + bytes / ROW_BYTES) as u64) / ROWS_PER_SECOND;
        let of_all = row.saturating_mul(running).min(self.lease / 3);
        of_all.max(Duration::from_secs(bytes as u64) / BYTES_PER_SECOND)
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

    /// The next instant, not before `earliest`, at which something may be due. These are the same for all replies, so that
    /// one statement is enough for many.
    pub(super) fn next_tick(&self, earliest: Instant) -> Instant {
        self.tick_after(earliest.max(Instant::now()), self.options().checkpoint)
    }

    /// The next of the instants that are this `period` apart.
    pub(super) fn next_tick_of(&self, period: Duration) -> Instant {
        self.tick_after(Instant::now(), period)
    }

    fn tick_after(&self, instant: Instant, period: Duration) -> Instant {
        let (passed, period) = ((instant - self.0.started).as_nanos(), period.as_nanos());
        let ticks = passed / period + 1;
        self.0.started + Duration::from_nanos(u64::try_from(ticks * period).unwrap_or(u64::MAX))
    }

    /// How many replies this server writes.
    pub(super) fn running(&self) -> usize {
        self.lock_running().len()
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

    /// What is due in the first `seconds` of a reply that grows by `growth` bytes at each tick from `bytes` on, and is one
    /// of `running`.
    fn plan(mut bytes: usize, growth: usize, running: usize, seconds: u32) -> Vec<(Duration, Due, usize)> {
        let start = Instant::now();
        let mut schedule = Schedule::new(LEASE, running, start);
        let mut plan = Vec::new();
        for tick in 1..=seconds * 4 {
            let now = start + TICK * tick;
            let early = schedule.next_at() > now;
            if let Some(due) = schedule.next(bytes, running, now) {
                assert!(!early, "{due:?} was said to be due later");
                plan.push((TICK * tick, due, bytes));
            }
            bytes += growth;
        }
        plan
    }

    fn count(plan: &[(Duration, Due, usize)], due: Due) -> usize {
        plan.iter().filter(|step| step.1 == due).count()
    }

    /// Whether the lease is extended in time, by whatever is done.
    fn assert_leased(plan: &[(Duration, Due, usize)]) {
        let extended: Vec<_> =
            plan.iter().filter(|step| step.1 != Due::StopCheck).map(|step| step.0).collect();
        assert!(extended.windows(2).all(|pair| pair[1] <= pair[0] + LEASE / 3 + TICK), "{extended:?}");
        assert!(extended[0] <= LEASE / 3 + TICK, "{extended:?}");
    }

    #[test]
    fn a_short_reply_is_stored_at_each_tick() {
        for running in [1, 50] {
            let plan = plan(1, 16, running, 30);
            assert_eq!((count(&plan, Due::Store), plan.len()), (120, 120), "{running}");
        }
    }

    #[test]
    fn many_replies_are_stored_and_looked_at_so_often_that_it_is_bounded() {
        for (running, seconds) in [(200, 60), (1000, 60), (100_000, 60)] {
            let plan = plan(1, 16, running, seconds);
            assert_leased(&plan);
            let rows = running * plan.len() / seconds as usize;
            let bound = (2 * ROWS_PER_SECOND as usize).max(running / 3);
            assert!(rows <= bound, "{running}: {rows} rows a second");
            let stored = count(&plan, Due::Store);
            assert!(stored >= 60 / 4, "{running}: stored {stored} times");
        }
        // Without growth it is looked at, and its lease extended.
        let plan = plan(1, 0, 1000, 60);
        assert_leased(&plan);
        assert!(count(&plan, Due::Store) == 1 && plan.len() <= 60, "{}", plan.len());
    }

    #[test]
    fn a_row_counts_by_its_bytes() {
        let [short, long] = [1, 10 * ROW_BYTES].map(|bytes| count(&plan(bytes, 1, 100, 60), Due::Store));
        assert!(short > 200 && (15..60).contains(&long), "{short} {long}");
    }

    #[test]
    fn a_long_reply_is_stored_at_a_bounded_rate_and_its_lease_extended_in_time() {
        let plan = plan(4 << 20, 16, 1, 300);
        let stored: usize = plan.iter().filter(|step| step.1 == Due::Store).map(|step| step.2).sum();
        let seconds = stored / BYTES_PER_SECOND as usize;
        assert!((200..320).contains(&seconds), "{stored}");
        assert_leased(&plan);
    }

    #[test]
    fn a_reply_that_does_not_grow_is_not_stored_again() {
        let plan = plan(16, 0, 1, 30);
        assert_eq!(count(&plan, Due::Store), 1);
        assert!(count(&plan, Due::Lease) > 0 && count(&plan, Due::StopCheck) > 30);
    }

    #[test]
    fn what_has_failed_is_due_at_once() {
        let now = Instant::now();
        let mut schedule = Schedule::new(LEASE, 1, now);
        let later = now + TICK;
        assert_eq!(schedule.next(4 << 20, 1, later), Some(Due::Store));
        assert_eq!(schedule.next(4 << 20, 1, later), None);
        schedule.failed();
        assert_eq!(schedule.next(4 << 20, 1, Instant::now()), Some(Due::Store));
    }
}
