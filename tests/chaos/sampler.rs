//! Looks at the running replies many times a second.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::journal::{Cause, Journal};
use crate::settings::{LEASE, TAKEOVER_SLACK};

const PERIOD: Duration = Duration::from_millis(40);

/// Where the sampler itself comes, or is answered, so late, no server had its time either.
const STALL: Duration = Duration::from_millis(200);

/// Where this machine had no time for so long, a server may have lost its leases though it lived.
const LONG_STALL: Duration = LEASE.checked_div(4).unwrap();

/// How much earlier than a takeover its reason may be.
const REASONS: Duration = LEASE.saturating_add(TAKEOVER_SLACK);

/// How long a server takes nothing over that has just started, or could not reach PostgreSQL: who seems silent may only
/// have been cut off, and takes so long to notice.
const SETTLING: Duration = Duration::from_secs(6);
const _: () = assert!(SETTLING.as_secs() > LEASE.as_secs());

const RUNNING: &str = "SELECT id, user_id, conversation_id, attempt, restarts_left, lease_owner
    FROM message WHERE status = 'GENERATING'";

/// A running reply.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: Uuid,
    /// The user and the conversation.
    pub place: (String, Uuid),
    pub attempt: i32,
    pub restarts_left: i32,
    pub owner: Uuid,
}

/// What was seen of the running replies.
#[derive(Debug)]
pub struct Sampler {
    fleet: Arc<Fleet>,
    journal: Arc<Journal>,
    /// The rows of the last look, by their ids, and when it was.
    before: HashMap<Uuid, Row>,
    looked: Instant,
    late: HashSet<(Uuid, Uuid)>,
}

impl Sampler {
    pub fn new(fleet: Arc<Fleet>, journal: Arc<Journal>) -> Self {
        let (before, late) = Default::default();
        Self { fleet, journal, before, looked: Instant::now(), late }
    }

    /// Looks until `end`.
    pub async fn watch(mut self, connection: DatabaseConnection, end: CancellationToken) {
        while !end.is_cancelled() {
            let began = Instant::now();
            let rows = look(&connection).await;
            if began.elapsed() > STALL {
                // Nothing is ever in the way of these looks but a database that is away.
                let cause = if rows.is_ok() { Cause::Machine } else { Cause::Database };
                self.journal.disturbed(cause, began, Instant::now());
            }
            if let Ok(rows) = rows {
                self.see(rows, began, Instant::now());
            }
            let began = Instant::now();
            sleep(PERIOD).await;
            if began.elapsed() > PERIOD + STALL {
                self.journal.disturbed(Cause::Machine, began, Instant::now());
            }
        }
    }

    /// Takes what a look from `from` to `to` has brought: never may two replies of a conversation run, nor one stay
    /// long with a server without life, nor one be taken from a server that lives.
    pub fn see(&mut self, rows: Vec<Row>, from: Instant, to: Instant) {
        self.journal.count("looks at running replies");
        let mut places = HashSet::new();
        for row in &rows {
            if !places.insert(&row.place) {
                self.journal.violation(&format!("two replies run in conversation {}", row.place.1));
            }
            if let Some(since) = self.fleet.absent_since(row.owner, from) {
                self.journal.time("time of a reply with a server without life", from - since);
                if let Some(calm) = self.journal.calm_since(since, to) {
                    self.journal.time(
                        "time to a takeover, the database being there",
                        from.saturating_duration_since(calm),
                    );
                    let awake = from.checked_sub(REASONS + SETTLING).unwrap_or(from);
                    let somebody = self.fleet.anybody_lived(awake, from);
                    // Who takes over must also have settled after what has disturbed before.
                    let earlier = since.checked_sub(SETTLING).unwrap_or(since);
                    let settled = self.journal.calm_since(earlier, to).unwrap_or(calm) + SETTLING;
                    let due = (calm + LEASE).max(settled) + TAKEOVER_SLACK;
                    if from > due && somebody && self.late.insert((row.id, row.owner)) {
                        self.journal.violation(&format!("reply {} was not taken over in time", row.id));
                    }
                }
            }
            if let Some(before) = self.before.get(&row.id).filter(|before| before.attempt < row.attempt) {
                self.see_restart(before, row, to);
            }
        }
        self.before = rows.into_iter().map(|row| (row.id, row)).collect();
        self.looked = from;
    }

    fn see_restart(&self, before: &Row, row: &Row, to: Instant) {
        if before.owner != row.owner && self.fleet.absent_since(before.owner, to).is_some() {
            self.journal.count("takeovers seen");
        }
        // When somebody retries a reply that has ended, no restart is spent, and none when a server gives it away.
        let is_spent = row.restarts_left < before.restarts_left;
        let reasons = |instant: Instant| instant.checked_sub(REASONS).unwrap_or(instant);
        let since = reasons(self.journal.trouble_since(reasons(self.looked), to));
        let had_time = self.journal.longest_stall(since, to) < LONG_STALL;
        if is_spent && had_time && self.fleet.lived(before.owner, since, to) {
            self.journal.violation(&format!(
                "reply {} was restarted as attempt {} though its server lives",
                row.id, row.attempt
            ));
        }
    }
}

async fn look(connection: &DatabaseConnection) -> Result<Vec<Row>, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), RUNNING);
    let rows = connection.query_all_raw(statement).await?;
    let read = |row: &sea_orm::QueryResult| {
        Ok(Row {
            id: row.try_get("", "id")?,
            place: (row.try_get("", "user_id")?, row.try_get("", "conversation_id")?),
            attempt: row.try_get("", "attempt")?,
            restarts_left: row.try_get("", "restarts_left")?,
            owner: row.try_get("", "lease_owner")?,
        })
    };
    rows.iter().map(read).collect()
}
