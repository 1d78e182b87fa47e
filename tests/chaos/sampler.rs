//! Looks at the running replies many times a second.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::journal::Journal;
use crate::settings::{LEASE, TAKEOVER_SLACK};

const PERIOD: Duration = Duration::from_millis(40);

/// Where the sampler itself comes, or is answered, so late, no server had its time either.
const STALL: Duration = Duration::from_millis(200);

const RUNNING: &str =
    "SELECT id, user_id, conversation_id, attempt, lease_owner FROM message WHERE status = 'GENERATING'";

/// A running reply.
struct Row {
    id: Uuid,
    place: (String, Uuid),
    attempt: i32,
    owner: Uuid,
}

/// Looks until `end`: never may two replies of a conversation run, nor one stay long with a server without life.
pub async fn watch(
    connection: DatabaseConnection,
    fleet: Arc<Fleet>,
    journal: Arc<Journal>,
    end: CancellationToken,
) {
    let mut before: HashMap<Uuid, (i32, Uuid)> = HashMap::new();
    let mut late: HashSet<(Uuid, Uuid)> = HashSet::new();
    let mut last = Instant::now();
    while !end.is_cancelled() {
        let now = Instant::now();
        if now - last > STALL + PERIOD {
            journal.disturbed(last, now);
        }
        last = now;
        let rows = look(&connection).await;
        if now.elapsed() > STALL {
            journal.disturbed(now, Instant::now());
        }
        if let Ok(rows) = rows {
            journal.count("looks at running replies");
            let mut places = HashSet::new();
            for row in &rows {
                if !places.insert(&row.place) {
                    journal.violation(&format!("two replies run in conversation {}", row.place.1));
                }
                if let Some(since) = fleet.absent_since(row.owner, now) {
                    journal.time("time of a reply with a server without life", now - since);
                    if journal.was_calm(since, Instant::now()) {
                        journal.time("time to a takeover, the database being there", now - since);
                        if now - since > LEASE + TAKEOVER_SLACK && late.insert((row.id, row.owner)) {
                            journal.violation(&format!("reply {} was not taken over in time", row.id));
                        }
                    }
                }
                let taken = before.get(&row.id).is_some_and(|(attempt, owner)| {
                    *attempt < row.attempt && *owner != row.owner && fleet.absent_since(*owner, now).is_some()
                });
                if taken {
                    journal.count("takeovers seen");
                }
            }
            before = rows.into_iter().map(|row| (row.id, (row.attempt, row.owner))).collect();
        }
        sleep(PERIOD).await;
    }
}

async fn look(connection: &DatabaseConnection) -> Result<Vec<Row>, DbErr> {
    let statement = Statement::from_string(DbBackend::Postgres, RUNNING);
    let rows = connection.query_all_raw(statement).await?;
    let read = |row: &sea_orm::QueryResult| {
        Ok(Row {
            id: row.try_get("", "id")?,
            place: (row.try_get("", "user_id")?, row.try_get("", "conversation_id")?),
            attempt: row.try_get("", "attempt")?,
            owner: row.try_get("", "lease_owner")?,
        })
    };
    rows.iter().map(read).collect()
}
