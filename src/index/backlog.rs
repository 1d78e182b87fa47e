//! Indexing beside requests: what was written before there was an index, and what is copied by the thousand.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement, Value};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::batch::{self, Batch};
use crate::database::{Database, Write, now};
use crate::error::Error;
use crate::signal::{Signals, Topic};

/// How long to wait after a failure of the database.
const PAUSE: Duration = Duration::from_secs(5);

/// How often to look, should signals be lost.
const PACE: Duration = Duration::from_secs(30);

/// The user who comes after another one.
const NEXT: &str = "
SELECT user_id FROM search_backlog WHERE user_id > $1 AND retry_at IS NULL ORDER BY user_id LIMIT 1";

/// What was set aside, and may be tried again.
const AGAIN: &str = "
SELECT user_id, id FROM search_backlog WHERE retry_at <= $1 ORDER BY retry_at LIMIT 1";

const PUT: &str = "
INSERT INTO search_backlog (user_id, id)
SELECT user_id, id FROM message
WHERE user_id = $1 AND conversation_id = $2 AND active AND position > $3 AND position <= $4 AND content <> ''
ON CONFLICT DO NOTHING";

/// Has the messages of a conversation's active path after position `start`, up to `end`, indexed soon.
/// [`Topic::Backlog`] is to be sent after the commit.
pub async fn index_path(
    write: &Write,
    user: &str,
    conversation: Uuid,
    start: i64,
    end: i64,
) -> Result<(), Error> {
    let values = [Value::from(user), Value::from(conversation), Value::from(start), Value::from(end)];
    write.execute_raw(Statement::from_sql_and_values(write.get_database_backend(), PUT, values)).await?;
    Ok(())
}

/// Works the backlog off, beside requests, until `shutdown` comes. Several servers may do so at once: what two of them
/// index is the same.
pub async fn catch_up(database: Database, signals: Arc<dyn Signals>, shutdown: CancellationToken) {
    let work = async {
        let mut listener = signals.listen(Topic::Backlog);
        let mut turns = Turns::default();
        loop {
            match turns.take(&database).await {
                Ok(true) => {}
                Ok(false) => {
                    let _ = timeout(PACE, listener.woken()).await;
                }
                Err(error) => {
                    error.log();
                    sleep(PAUSE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(work).await;
}

/// Users take turns, whatever each has waiting.
#[derive(Debug, Default)]
struct Turns {
    /// Who had a turn last.
    last: String,
}

impl Turns {
    /// Indexes a few rows of the user whose turn it is. Tells whether there may be more.
    async fn take(&mut self, database: &Database) -> Result<bool, Error> {
        let next = match next(database, &self.last).await? {
            Some(user) => Some(user),
            None => next(database, "").await?,
        };
        let (user, ids) = match next {
            Some(user) => {
                self.last.clone_from(&user);
                let ids = batch::next(database, &user).await?;
                (user, ids)
            }
            None => match again(database).await? {
                Some((user, id)) => (user, vec![id]),
                None => return Ok(false),
            },
        };
        index(database, &user, &ids).await?;
        Ok(true)
    }
}

async fn next(database: &Database, last: &str) -> Result<Option<String>, Error> {
    let statement = Statement::from_sql_and_values(database.backend(), NEXT, [Value::from(last)]);
    let row = database.row(statement).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

async fn again(database: &Database) -> Result<Option<(String, Uuid)>, Error> {
    let statement = Statement::from_sql_and_values(database.backend(), AGAIN, [Value::from(now())]);
    let Some(row) = database.row(statement).await? else { return Ok(None) };
    Ok(Some((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
}

/// Indexes some of a user's texts; if that fails, each of them alone, so that the one that cannot be indexed is set
/// aside and holds up no other.
async fn index(database: &Database, user: &str, ids: &[Uuid]) -> Result<(), Error> {
    let Err(error) = attempt(database, user, ids).await else { return Ok(()) };
    if let [id] = ids {
        return set_aside(database, user, *id, &error).await;
    }
    for id in ids {
        if let Err(error) = attempt(database, user, &[*id]).await {
            set_aside(database, user, *id, &error).await?;
        }
    }
    Ok(())
}

async fn attempt(database: &Database, user: &str, ids: &[Uuid]) -> Result<(), Error> {
    let batch = Batch::read(database, user, ids).await?;
    database.write(user, batch, |write, batch| Box::pin(batch.store(write))).await
}

/// Leaves a text for later. If this fails too, it is the database that is away.
async fn set_aside(database: &Database, user: &str, id: Uuid, cause: &Error) -> Result<(), Error> {
    let input = (user.to_owned(), id);
    database.write(user, input, |write, (user, id)| Box::pin(batch::set_aside(write, user, *id))).await?;
    tracing::warn!(%id, code = cause.code(), "a text cannot be indexed for search now; it is tried again later");
    cause.log();
    Ok(())
}
