//! What is due of the running replies of a server, done for all of them together.
//!
//! All replies have something due at the same ticks. What is asked for while a statement runs is done by the next one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::{DbBackend, QueryResult, Value};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::checkpoint::CheckpointOutcome;
use super::draft::Draft;
use crate::database::{Database, now};
use crate::entity::message::{self, Parts};
use crate::error::Error;

/// How many replies one statement is about.
const REPLIES: usize = 256;

/// How many bytes of text one statement stores, but for the last reply's.
const BYTES: usize = 1 << 20;

/// Stores drafts and extends leases. Rows that somebody else has locked are left out: waiting for them with locks on
/// others could lead to a deadlock.
const STORE_POSTGRES: &str = r#"
WITH owned AS (
    SELECT due.* FROM json_to_recordset($1::json) AS due
        (user_id TEXT COLLATE "C", id UUID, attempt INTEGER, content TEXT, reasoning TEXT, parts JSONB, model TEXT)
    JOIN message ON message.user_id = due.user_id AND message.id = due.id
    WHERE message.lease_owner = $2 AND message.attempt = due.attempt
    FOR NO KEY UPDATE OF message SKIP LOCKED
)
UPDATE message SET lease_until = clock_timestamp() + $3 * interval '1 millisecond',
    content = COALESCE(owned.content, message.content), reasoning = COALESCE(owned.reasoning, message.reasoning),
    parts = COALESCE(owned.parts, message.parts),
    model = CASE WHEN owned.content IS NULL THEN message.model ELSE owned.model END
FROM owned WHERE message.user_id = owned.user_id AND message.id = owned.id
RETURNING message.id, message.attempt, message.stop_requested_at IS NOT NULL"#;

const STORE_SQLITE: &str = "
UPDATE message SET lease_until = $3,
    content = COALESCE(due.value ->> 'content', content), reasoning = COALESCE(due.value ->> 'reasoning', reasoning),
    parts = COALESCE(due.value -> 'parts', parts),
    model = CASE WHEN due.value ->> 'content' IS NULL THEN model ELSE due.value ->> 'model' END
FROM json_each($1) AS due
WHERE message.user_id = due.value ->> 'user_id' AND message.id = unhex(due.value ->> 'id')
    AND message.lease_owner = $2 AND message.attempt = due.value ->> 'attempt'
RETURNING message.id, message.attempt, message.stop_requested_at IS NOT NULL";

const LOOK_POSTGRES: &str = r#"
SELECT message.id, message.attempt, message.stop_requested_at IS NOT NULL FROM json_to_recordset($1::json) AS due
    (user_id TEXT COLLATE "C", id UUID, attempt INTEGER)
JOIN message ON message.user_id = due.user_id AND message.id = due.id
WHERE message.lease_owner = $2 AND message.attempt = due.attempt"#;

const LOOK_SQLITE: &str = "
SELECT message.id, message.attempt, message.stop_requested_at IS NOT NULL FROM json_each($1) AS due
CROSS JOIN message ON message.user_id = due.value ->> 'user_id' AND message.id = unhex(due.value ->> 'id')
WHERE message.lease_owner = $2 AND message.attempt = due.value ->> 'attempt'";

/// What is to be done with the row of a running reply.
#[derive(Debug)]
pub(super) enum Task {
    /// Store the draft and the model's name, and extend the lease.
    Store(Draft, Option<String>),
    /// Extend the lease.
    Extend,
    /// Look whether the reply is to stop.
    Look,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Done {
    Found(CheckpointOutcome),
    /// No row was found that is this attempt's and that nobody has locked, or the statement failed for another reply: it
    /// is to be done for this reply alone.
    Left(Task),
}

/// A reply and the number of its attempt.
type Attempt = (Uuid, i32);

#[derive(Debug)]
struct Job {
    user: String,
    id: Uuid,
    attempt: i32,
    task: Task,
    done: oneshot::Sender<Result<Done, Error>>,
}

/// Takes what is due of the running replies of a server.
#[derive(Debug)]
pub(super) struct Batches {
    jobs: mpsc::UnboundedSender<Job>,
    stores: Arc<Mutex<Stores>>,
}

/// How the batches come through that store. Commits may hang while reads are answered, for example as long as a standby
/// is away that they wait for.
#[derive(Debug)]
struct Stores {
    lease: Duration,
    began: Option<Instant>,
    stalled_at: Option<Instant>,
}

impl Stores {
    fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    fn end(&mut self, now: Instant, failed: bool) {
        if failed || self.hangs(now) {
            self.stalled_at = Some(now);
        }
        self.began = None;
    }

    /// Whether a batch takes so long that leases may expire.
    fn hangs(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now - began > self.lease / 4)
    }

    fn stalled_at(&self, now: Instant) -> Option<Instant> {
        if self.hangs(now) { Some(now) } else { self.stalled_at }
    }
}

impl Batches {
    /// Works until it is dropped, for replies that `server` has leased for the time of `lease`.
    pub(super) fn start(database: Database, server: Uuid, lease: Duration) -> Self {
        // There is one job of each running reply at most.
        let (sender, receiver) = mpsc::unbounded_channel();
        let stores = Arc::new(Mutex::new(Stores { lease, began: None, stalled_at: None }));
        tokio::spawn(work(Worker { database, server, lease, stores: stores.clone() }, receiver));
        Self { jobs: sender, stores }
    }

    /// When a batch that stores last failed or hung: leases may have expired whose servers live. It is now if one hangs.
    pub(super) fn stalled_at(&self) -> Option<Instant> {
        lock(&self.stores).stalled_at(Instant::now())
    }

    /// Does `task` together with those of other replies.
    pub(super) async fn run(&self, reply: &message::Model, task: Task) -> Result<Done, Error> {
        let (done, outcome) = oneshot::channel();
        let (user, id, attempt) = (reply.user_id.clone(), reply.id, reply.attempt);
        // The worker ends only when this is dropped.
        let _ = self.jobs.send(Job { user, id, attempt, task, done });
        outcome.await.unwrap_or_else(|_| Err(Error::Internal("a checkpoint was not taken".to_owned())))
    }
}

struct Worker {
    database: Database,
    server: Uuid,
    lease: Duration,
    stores: Arc<Mutex<Stores>>,
}

fn lock(stores: &Mutex<Stores>) -> MutexGuard<'_, Stores> {
    stores.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn work(worker: Worker, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut due = Vec::new();
    while jobs.recv_many(&mut due, REPLIES).await > 0 {
        // Whose attempt has ended meanwhile no longer waits.
        due.retain(|job| !job.done.is_closed());
        let (looks, mut stores): (Vec<Job>, Vec<Job>) =
            due.drain(..).partition(|job| matches!(job.task, Task::Look));
        let store = async {
            while !stores.is_empty() {
                let mut bytes = 0;
                let fit = stores.iter().take_while(|job| {
                    let fits = bytes < BYTES;
                    bytes += job.bytes();
                    fits
                });
                let rest = stores.split_off(fit.count());
                worker.finish(std::mem::replace(&mut stores, rest), true).await;
            }
        };
        let look = async {
            if !looks.is_empty() {
                worker.finish(looks, false).await;
            }
        };
        tokio::join!(store, look);
    }
}

impl Worker {
    /// Does `jobs` in one statement, and tells what became of each.
    async fn finish(&self, jobs: Vec<Job>, stores: bool) {
        let mut found = match self.run(&jobs, stores).await {
            Ok(found) => found,
            Err(error) if error.is_unavailable() || jobs.len() == 1 => {
                for job in jobs {
                    // Its attempt may have ended meanwhile.
                    let _ = job.done.send(Err(error.clone()));
                }
                return;
            }
            Err(error) => {
                error.log();
                HashMap::new()
            }
        };
        for job in jobs {
            let done = found.remove(&(job.id, job.attempt)).map_or(Done::Left(job.task), Done::Found);
            let _ = job.done.send(Ok(done));
        }
    }

    async fn run(&self, jobs: &[Job], stores: bool) -> Result<HashMap<Attempt, CheckpointOutcome>, Error> {
        let rows: Vec<Row<'_>> = jobs.iter().map(Row::of).collect();
        let rows = serde_json::to_string(&rows).map_err(|error| Error::Internal(error.to_string()))?;
        let mut values: Vec<Value> = vec![rows.into(), self.server.into()];
        let is_postgres = self.database.backend() == DbBackend::Postgres;
        let found = if stores {
            values.push(if is_postgres {
                i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX).into()
            } else {
                (now() + self.lease).into()
            });
            let sql = if is_postgres { STORE_POSTGRES } else { STORE_SQLITE };
            lock(&self.stores).begin(Instant::now());
            let stored = self.database.update_rows(self.database.statement(sql, values)).await;
            let failed = stored.as_ref().is_err_and(Error::is_unavailable);
            lock(&self.stores).end(Instant::now(), failed);
            stored?
        } else {
            let sql = if is_postgres { LOOK_POSTGRES } else { LOOK_SQLITE };
            self.database.rows(self.database.statement(sql, values)).await?
        };
        found.iter().map(outcome).collect()
    }
}

fn outcome(row: &QueryResult) -> Result<(Attempt, CheckpointOutcome), Error> {
    let stops: bool = row.try_get_by_index(2)?;
    let outcome = if stops { CheckpointOutcome::Stop } else { CheckpointOutcome::Continue };
    Ok(((row.try_get_by_index(0)?, row.try_get_by_index(1)?), outcome))
}

impl Job {
    fn bytes(&self) -> usize {
        match &self.task {
            Task::Store(draft, _) => draft.bytes(),
            Task::Extend | Task::Look => 0,
        }
    }
}

/// A job as the statements read it.
#[derive(Serialize)]
struct Row<'j> {
    user_id: &'j str,
    id: String,
    attempt: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'j str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'j str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Parts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'j str>,
}

impl<'j> Row<'j> {
    fn of(job: &'j Job) -> Self {
        let (user_id, id, attempt) = (job.user.as_str(), job.id.simple().to_string(), job.attempt);
        match &job.task {
            Task::Store(draft, model) => Self {
                user_id,
                id,
                attempt,
                content: Some(&draft.content),
                reasoning: Some(&draft.reasoning),
                parts: Some(draft.stored_parts()),
                model: model.as_deref(),
            },
            Task::Extend | Task::Look => {
                Self { user_id, id, attempt, content: None, reasoning: None, parts: None, model: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_hangs_or_fails_is_a_stall() {
        let second = Duration::from_secs(1);
        let begin = Instant::now();
        let mut stores = Stores { lease: 8 * second, began: None, stalled_at: None };

        stores.begin(begin);
        assert_eq!(stores.stalled_at(begin + 2 * second), None);
        stores.end(begin + 2 * second, false);
        assert_eq!(stores.stalled_at(begin + 9 * second), None);

        stores.begin(begin + 10 * second);
        assert_eq!(stores.stalled_at(begin + 13 * second), Some(begin + 13 * second));
        stores.end(begin + 15 * second, false);
        assert_eq!(stores.stalled_at(begin + 20 * second), Some(begin + 15 * second));

        stores.begin(begin + 20 * second);
        stores.end(begin + 21 * second, true);
        assert_eq!(stores.stalled_at(begin + 30 * second), Some(begin + 21 * second));
    }
}
