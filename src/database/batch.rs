//! Writes of different users in one statement, on PostgreSQL.
//!
//! A write that comes while no other statement is on its way begins at once. Those that come meanwhile gather, and are the
//! next one: they share its setting up, its round trip and its commit. One user's writes come one after another, so that
//! a statement has one of each user at most. With two statements on their way before others gather, PostgreSQL took a
//! quarter more processor time for a send at 16 connections and a tenth more at 64, and there were no more sends a second.
//!
//! Whoever is slow does not hold up the others for long: a statement waits for no user's lock, its size is bounded, and
//! another one begins beside it if it takes longer than usual.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::{DbBackend, DbErr, QueryResult, Statement};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::Database;
use super::fast_path::{BatchStatement, TURN_TIMEOUT};
use super::pool::PooledConnection;
use crate::error::Error;

/// How many writes one statement has at most. The statements say so, too.
pub(crate) const WRITES: usize = 32;

/// How many bytes the rows of one statement have at most, unless it is one row.
const BYTES: usize = 128 << 10;

/// How long a write waits for the statement before it until another one begins beside that.
const PATIENCE: Duration = Duration::from_millis(5);

/// How many statements of one kind run at once.
const LANES: usize = 4;

/// What became of a write.
pub(super) enum Done {
    /// The row that the statement has returned for it.
    Written(QueryResult),
    /// Nothing was written.
    Nothing,
    /// The answer was lost.
    Lost,
}

/// The writes that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Batches {
    groups: Mutex<Vec<Group>>,
    numbers: AtomicU64,
}

/// Those that one statement can do.
#[derive(Debug)]
struct Group {
    statement: BatchStatement,
    waiting: VecDeque<Job>,
    /// How many tasks take writes from here.
    lanes: usize,
}

struct Job {
    number: u64,
    user: String,
    row: String,
    done: oneshot::Sender<Done>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Batches {
    fn lock(&self) -> MutexGuard<'_, Vec<Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a write. Returns whether a lane is to be begun for it.
    fn add(&self, statement: &BatchStatement, job: Job) -> bool {
        let mut groups = self.lock();
        let position = groups.iter().position(|group| group.statement == *statement);
        let position = position.unwrap_or_else(|| {
            groups.push(Group { statement: statement.clone(), waiting: VecDeque::new(), lanes: 0 });
            groups.len() - 1
        });
        let group = &mut groups[position];
        group.waiting.push_back(job);
        group.begin_lane(group.lanes == 0 || group.waiting.len() > group.lanes * WRITES)
    }

    /// Whether another lane is to be begun for a write that still waits.
    fn is_stuck(&self, statement: &BatchStatement, number: u64) -> bool {
        let mut groups = self.lock();
        let Some(group) = groups.iter_mut().find(|group| group.statement == *statement) else { return false };
        let waits = group.waiting.iter().any(|job| job.number == number);
        group.begin_lane(waits)
    }

    /// Takes a write back. Returns whether it still waited.
    fn withdraw(&self, statement: &BatchStatement, number: u64) -> bool {
        let mut groups = self.lock();
        let Some(group) = groups.iter_mut().find(|group| group.statement == *statement) else { return false };
        let before = group.waiting.len();
        group.waiting.retain(|job| job.number != number);
        group.waiting.len() < before
    }

    /// The writes that the next statement does. If there are none, the lane ends.
    fn take(&self, statement: &BatchStatement) -> Option<Vec<Job>> {
        let mut groups = self.lock();
        let position = groups.iter().position(|group| group.statement == *statement)?;
        let jobs = groups[position].take();
        if jobs.is_empty() {
            end_lane(&mut groups, position);
            return None;
        }
        Some(jobs)
    }

    /// Ends a lane that has gone before its writes.
    fn end_lane(&self, statement: &BatchStatement) {
        let mut groups = self.lock();
        if let Some(position) = groups.iter().position(|group| group.statement == *statement) {
            end_lane(&mut groups, position);
        }
    }

    /// All writes that wait, as they cannot be done. The lane ends.
    fn give_up(&self, statement: &BatchStatement) -> Vec<Job> {
        let mut groups = self.lock();
        let Some(position) = groups.iter().position(|group| group.statement == *statement) else {
            return Vec::new();
        };
        let jobs = groups[position].waiting.drain(..).collect();
        end_lane(&mut groups, position);
        jobs
    }
}

fn end_lane(groups: &mut Vec<Group>, position: usize) {
    groups[position].lanes -= 1;
    if groups[position].lanes == 0 && groups[position].waiting.is_empty() {
        groups.swap_remove(position);
    }
}

impl Group {
    fn begin_lane(&mut self, wanted: bool) -> bool {
        let begins = wanted && self.lanes < LANES;
        self.lanes += usize::from(begins);
        begins
    }

    fn take(&mut self) -> Vec<Job> {
        let (mut jobs, mut bytes): (Vec<Job>, _) = (Vec::new(), 0);
        while jobs.len() < WRITES
            && let Some(next) = self.waiting.front()
        {
            bytes += next.row.len();
            // A user's second write would see the first one half done.
            if !jobs.is_empty() && (bytes > BYTES || jobs.iter().any(|job| job.user == next.user)) {
                break;
            }
            jobs.extend(self.waiting.pop_front());
        }
        jobs
    }
}

impl Database {
    /// Does the write of `user` that is `row`, together with those of others.
    pub(super) async fn write_in_batch(&self, user: &str, statement: BatchStatement, row: String) -> Done {
        let deadline = Instant::now() + TURN_TIMEOUT;
        let (done, mut outcome) = oneshot::channel();
        let number = self.batches.numbers.fetch_add(1, Ordering::Relaxed);
        let job = Job { number, user: user.to_owned(), row, done };
        if self.batches.add(&statement, job) {
            self.begin_lane(&statement);
        }
        if let Ok(done) = timeout(PATIENCE, &mut outcome).await {
            return done.unwrap_or(Done::Lost);
        }
        if self.batches.is_stuck(&statement, number) {
            self.begin_lane(&statement);
        }
        if let Ok(done) = timeout_at(deadline, &mut outcome).await {
            return done.unwrap_or(Done::Lost);
        }
        if self.batches.withdraw(&statement, number) {
            return Done::Nothing;
        }
        outcome.await.unwrap_or(Done::Lost)
    }

    fn begin_lane(&self, statement: &BatchStatement) {
        let lane = Lane { database: self.clone(), statement: statement.clone(), is_counted: true };
        tokio::spawn(lane.run());
    }
}

/// A task that does what waits for a statement until nothing does.
struct Lane {
    database: Database,
    statement: BatchStatement,
    is_counted: bool,
}

impl Lane {
    async fn run(mut self) {
        let batches = self.database.batches.clone();
        loop {
            // Writes wait for a connection as long as they may, and are then gone.
            let Ok(connection) = self.database.writers.acquire(None).await else {
                self.is_counted = false;
                finish(batches.give_up(&self.statement), || Done::Nothing);
                return;
            };
            // Others that are about to write come first.
            tokio::task::yield_now().await;
            let Some(jobs) = batches.take(&self.statement) else {
                self.is_counted = false;
                return;
            };
            run(connection, &self.statement, jobs).await;
        }
    }
}

/// After a panic, so that other lanes can take its place.
impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_counted {
            self.database.batches.end_lane(&self.statement);
        }
    }
}

/// Does `jobs` in one statement, and tells what became of each.
async fn run(connection: PooledConnection, statement: &BatchStatement, jobs: Vec<Job>) {
    let rows: Vec<&str> = jobs.iter().map(|job| job.row.as_str()).collect();
    let rows = format!("[{}]", rows.join(","));
    let values = std::iter::once(rows.into()).chain(statement.values.iter().cloned());
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, statement.sql.as_str(), values);
    match connection.transaction_of(statement).await {
        Ok(rows) => {
            drop(connection);
            let Ok(mut written) = by_user(rows) else { return finish(jobs, || Done::Lost) };
            for job in jobs {
                let done = written.remove(&job.user).map_or(Done::Nothing, Done::Written);
                // The server stops if nobody waits any more.
                let _ = job.done.send(done);
            }
        }
        Err(_) if connection.is_running() || connection.is_broken() => finish(jobs, || Done::Lost),
        Err(error) => {
            drop(connection);
            // The transactions would hide that the statement is at fault.
            if let error @ Error::Internal(_) = Error::from(error) {
                error.log();
            }
            finish(jobs, || Done::Nothing);
        }
    }
}

fn by_user(rows: Vec<QueryResult>) -> Result<HashMap<String, QueryResult>, DbErr> {
    rows.into_iter().map(|row| Ok((row.try_get("", "user_id")?, row))).collect()
}

fn finish(jobs: Vec<Job>, done: impl Fn() -> Done) {
    for job in jobs {
        let _ = job.done.send(done());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sql: &str) -> BatchStatement {
        BatchStatement { sql: sql.to_owned(), values: Vec::new() }
    }

    fn job(number: u64, user: &str, bytes: usize) -> Job {
        Job { number, user: user.to_owned(), row: "x".repeat(bytes), done: oneshot::channel().0 }
    }

    fn taken(batches: &Batches, statement: &BatchStatement) -> Option<Vec<u64>> {
        batches.take(statement).map(|jobs| jobs.iter().map(|job| job.number).collect())
    }

    #[test]
    fn writes_that_come_meanwhile_are_the_next_statement() {
        let (batches, send, end) = (Batches::default(), statement("send"), statement("end"));
        assert!(batches.add(&send, job(1, "ann", 10)), "the first one begins at once");
        assert_eq!(taken(&batches, &send), Some(vec![1]));
        assert!(!batches.add(&send, job(3, "cid", 10)) && !batches.add(&send, job(4, "dan", 10)));
        assert!(batches.add(&end, job(5, "eve", 10)), "another statement is another group");
        assert_eq!((taken(&batches, &send), taken(&batches, &end)), (Some(vec![3, 4]), Some(vec![5])));
        assert_eq!((taken(&batches, &send), taken(&batches, &end)), (None, None));
        assert!(batches.lock().is_empty(), "nothing is left of them");
    }

    #[test]
    fn a_statement_has_so_many_writes_and_bytes_and_one_of_each_user() {
        let (batches, send) = (Batches::default(), statement("send"));
        for (number, user, bytes) in
            [(1, "ann", 10), (2, "ben", 10), (3, "ann", 10), (4, "cid", 2 * BYTES), (5, "dan", 10)]
        {
            batches.add(&send, job(number, user, bytes));
        }
        assert_eq!(taken(&batches, &send), Some(vec![1, 2]));
        assert_eq!(taken(&batches, &send), Some(vec![3]));
        assert_eq!(taken(&batches, &send), Some(vec![4]));
        assert_eq!(taken(&batches, &send), Some(vec![5]));
        let lanes = (0..200).filter(|number| batches.add(&send, job(*number, &number.to_string(), 10)));
        assert_eq!(lanes.count(), LANES - 1, "many writes have several lanes");
        assert_eq!(taken(&batches, &send).map(|numbers| numbers.len()), Some(WRITES));
    }

    #[test]
    fn a_write_that_waits_has_another_lane_or_is_taken_back() {
        let (batches, send) = (Batches::default(), statement("send"));
        assert!(batches.add(&send, job(1, "ann", 10)));
        assert_eq!(taken(&batches, &send), Some(vec![1]));
        assert!(!batches.is_stuck(&send, 1), "it is on its way");
        assert!(!batches.withdraw(&send, 1));
        assert!(!batches.add(&send, job(2, "ben", 10)));
        assert!(batches.is_stuck(&send, 2));
        assert!(batches.withdraw(&send, 2));
        assert_eq!([(); 2].map(|()| taken(&batches, &send)), [const { None }; 2]);
        assert!(batches.lock().is_empty());
        assert!(batches.add(&send, job(4, "ann", 10)));
        assert_eq!(batches.give_up(&send).len(), 1);
        assert!(batches.lock().is_empty());
    }

    #[test]
    fn the_place_of_a_lane_that_is_gone_is_taken_by_another() {
        let (batches, send) = (Batches::default(), statement("send"));
        let lanes = (0..).take_while(|number| {
            batches.add(&send, job(*number, &number.to_string(), 10)) || batches.is_stuck(&send, *number)
        });
        assert_eq!(lanes.count(), LANES);
        assert!(!batches.is_stuck(&send, 0), "there are as many as may be");
        batches.end_lane(&send);
        assert!(batches.is_stuck(&send, 0));
    }
}
