//! Indexing beside requests: what was written before there was an index, and what is copied by the thousand.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryResult, Statement, Value};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::entry::{index_message, index_title};
use crate::database::{Database, Write};
use crate::entity::{conversation, message};
use crate::error::Error;
use crate::signal::{Signals, Topic};

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(5);

const WHOSE: &str = "SELECT user_id FROM search_backlog ORDER BY user_id LIMIT 1";

/// A batch is small, as the user's own writes wait for it. The newest rows come first.
const TAKE: &str = "
DELETE FROM search_backlog
WHERE user_id = $1 AND id IN (SELECT id FROM search_backlog WHERE user_id = $1 ORDER BY id DESC LIMIT 32)
RETURNING id";

/// How often to look, should signals be lost.
const PACE: Duration = Duration::from_secs(30);

const PUT: &str = "
INSERT INTO search_backlog (user_id, id)
SELECT user_id, id FROM message WHERE user_id = $1 AND conversation_id = $2 AND content <> ''
ON CONFLICT DO NOTHING";

/// Has all messages of a conversation indexed soon. [`Topic::Backlog`] is to be sent after the commit.
pub async fn index_conversation(write: &Write, user: &str, conversation: Uuid) -> Result<(), Error> {
    let values = [Value::from(user), Value::from(conversation)];
    write.execute_raw(Statement::from_sql_and_values(write.get_database_backend(), PUT, values)).await?;
    Ok(())
}

/// Works the backlog off, beside requests, until `shutdown` comes. Several servers may do so at once: each batch
/// belongs to the one that holds its user's lock.
pub async fn catch_up(database: Database, signals: Arc<dyn Signals>, shutdown: CancellationToken) {
    let work = async {
        let mut listener = signals.listen(Topic::Backlog);
        loop {
            match batch(&database).await {
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

/// Indexes a few rows of one user. Tells whether there may be more.
async fn batch(database: &Database) -> Result<bool, Error> {
    let whose = Statement::from_string(database.backend(), WHOSE);
    let row = database.read(|connection| connection.query_one_raw(whose.clone())).await?;
    let Some(row) = row else { return Ok(false) };
    let user: String = row.try_get_by_index(0)?;
    database.write(&user, user.clone(), |write, user| Box::pin(take(write, user))).await?;
    Ok(true)
}

async fn take(write: &Write, user: &str) -> Result<(), Error> {
    let taken = Statement::from_sql_and_values(write.get_database_backend(), TAKE, [Value::from(user)]);
    let rows = write.query_all_raw(taken).await?;
    let ids: Vec<Uuid> =
        rows.iter().map(|row: &QueryResult| row.try_get_by_index(0)).collect::<Result<_, DbErr>>()?;
    let messages = message::Entity::find()
        .filter(message::Column::UserId.eq(user))
        .filter(message::Column::Id.is_in(ids.iter().copied()))
        .all(&**write)
        .await?;
    for row in messages.iter().filter(|row| row.status.is_terminal()) {
        index_message(write, user, row.id, &row.content).await?;
    }
    let conversations = conversation::Entity::find()
        .filter(conversation::Column::UserId.eq(user))
        .filter(conversation::Column::Id.is_in(ids))
        .all(&**write)
        .await?;
    for row in &conversations {
        index_title(write, row).await?;
    }
    Ok(())
}
