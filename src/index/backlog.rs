//! Indexing texts in the background: those written before there was an index, and those of copied branches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::batch::{self, Batch};
use crate::database::{Database, Write, now};
use crate::error::Error;
use crate::signal::{Signals, Topic};

/// How long to wait after an error of the database.
const PAUSE: Duration = Duration::from_secs(5);

/// How often the backlog is read, in case signals are lost.
const POLL_PERIOD: Duration = Duration::from_secs(30);

/// The next user after another one.
const NEXT_USER: &str = "
SELECT user_id FROM search_backlog WHERE user_id > $1 AND retry_at IS NULL ORDER BY user_id LIMIT 1";

/// A text that failed and is due for another try.
const NEXT_RETRY: &str = "
SELECT user_id, id FROM search_backlog WHERE retry_at <= $1 ORDER BY retry_at LIMIT 1";

const INSERT_PATH: &str = "
INSERT INTO search_backlog (user_id, id)
SELECT user_id, id FROM message
WHERE user_id = $1 AND conversation_id = $2 AND active AND position > $3 AND position <= $4 AND content <> ''
ON CONFLICT DO NOTHING";

/// Puts the messages of a conversation's active path after position `start`, up to `end`, on the backlog. The caller
/// sends [`Topic::Backlog`] after the commit.
pub async fn index_path(
    write: &Write,
    user: &str,
    conversation: Uuid,
    start: i64,
    end: i64,
) -> Result<(), Error> {
    write.run(INSERT_PATH, [user.into(), conversation.into(), start.into(), end.into()]).await?;
    Ok(())
}

/// Indexes the texts on the backlog until `shutdown`. Several servers may do so at once, as an entry does not depend on
/// who makes it.
pub async fn catch_up(database: Database, signals: Arc<dyn Signals>, shutdown: CancellationToken) {
    let work = async {
        let mut listener = signals.listen(Topic::Backlog);
        let mut users = RoundRobin::default();
        loop {
            match users.index_next(&database).await {
                Ok(true) => {}
                Ok(false) => {
                    let _ = timeout(POLL_PERIOD, listener.woken()).await;
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

/// Takes a batch of each user in the order of their ids, and then begins again.
#[derive(Debug, Default)]
struct RoundRobin {
    /// The user whose texts were indexed last.
    last: String,
}

impl RoundRobin {
    /// Indexes a batch of the next user's texts. Returns whether there may be more.
    async fn index_next(&mut self, database: &Database) -> Result<bool, Error> {
        let user = match next_user(database, &self.last).await? {
            Some(user) => Some(user),
            None => next_user(database, "").await?,
        };
        let (user, ids) = match user {
            Some(user) => {
                self.last.clone_from(&user);
                let ids = batch::next(database, &user).await?;
                (user, ids)
            }
            None => match next_retry(database).await? {
                Some((user, id)) => (user, vec![id]),
                None => return Ok(false),
            },
        };
        let (work, began) = (database.heavy_work(""), Instant::now());
        index(database, &user, &ids).await?;
        work.rest_after(began).await;
        Ok(true)
    }
}

async fn next_user(database: &Database, last: &str) -> Result<Option<String>, Error> {
    let row = database.row(database.statement(NEXT_USER, [last.into()])).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

async fn next_retry(database: &Database) -> Result<Option<(String, Uuid)>, Error> {
    let row = database.row(database.statement(NEXT_RETRY, [now().into()])).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
}

/// Indexes some of a user's texts. If that fails, indexes each of them alone, so that one that cannot be indexed is
/// postponed without delaying the others.
async fn index(database: &Database, user: &str, ids: &[Uuid]) -> Result<(), Error> {
    let Err(error) = try_index(database, user, ids).await else { return Ok(()) };
    if let [id] = ids {
        return postpone(database, user, *id, &error).await;
    }
    for id in ids {
        if let Err(error) = try_index(database, user, &[*id]).await {
            postpone(database, user, *id, &error).await?;
        }
    }
    Ok(())
}

async fn try_index(database: &Database, user: &str, ids: &[Uuid]) -> Result<(), Error> {
    let batch = Batch::read(database, user, ids).await?;
    database.write(user, batch, |write, batch| Box::pin(batch.store(write))).await
}

/// Postpones a text. If that fails, too, the database is unavailable.
async fn postpone(database: &Database, user: &str, id: Uuid, cause: &Error) -> Result<(), Error> {
    let input = (user.to_owned(), id);
    database.write(user, input, |write, (user, id)| Box::pin(batch::postpone(write, user, *id))).await?;
    tracing::warn!(%id, code = cause.code().as_str(), "a text could not be indexed and is postponed");
    cause.log();
    Ok(())
}
