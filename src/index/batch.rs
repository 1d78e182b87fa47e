//! A batch of one user's texts on the backlog.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::entry::{Entry, store_message, store_title};
use crate::database::{Database, Write};
use crate::entity::{conversation, message};
use crate::error::Error;

/// How many bytes of text are indexed in one transaction, for which the user's own writes wait. One text may have more.
const BYTES: i64 = 256 * 1024;

/// How long a text is postponed the first time. The time doubles with each failure.
const RETRY_DELAY: TimeDelta = TimeDelta::minutes(10);

/// How often the time doubles at most, which is up to about a week.
const MAX_DOUBLINGS: i64 = 10;

/// The newest texts, and their lengths.
const LENGTHS: &str = "
SELECT backlog.id, CAST(COALESCE(octet_length(message.content), 0) AS BIGINT) FROM search_backlog AS backlog
LEFT JOIN message ON message.user_id = backlog.user_id AND message.id = backlog.id
WHERE backlog.user_id = $1 AND backlog.retry_at IS NULL ORDER BY backlog.id DESC LIMIT 32";

const POSTPONE: &str = "
UPDATE search_backlog SET attempts = attempts + 1, retry_at = $3 WHERE user_id = $1 AND id = $2";

const ATTEMPTS: &str = "SELECT attempts FROM search_backlog WHERE user_id = $1 AND id = $2";

#[derive(FromQueryResult)]
struct Attempts {
    attempts: i64,
}

/// Some of a user's texts on the backlog, and their entries.
#[derive(Debug)]
pub(super) struct Batch {
    user: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: Uuid,
    /// `None` if there is nothing to index: the row was deleted, or it is of a reply, which is indexed when it has
    /// ended.
    found: Option<Found>,
}

#[derive(Debug)]
struct Found {
    is_title: bool,
    /// The revision of the row that was read.
    revision: i64,
    entry: Entry,
}

/// The ids of `user`'s next batch.
pub(super) async fn next(database: &Database, user: &str) -> Result<Vec<Uuid>, Error> {
    let (mut ids, mut bytes) = (Vec::new(), 0);
    for row in database.rows(database.statement(LENGTHS, [user.into()])).await? {
        bytes += row.try_get_by_index::<i64>(1)?;
        if bytes > BYTES && !ids.is_empty() {
            break;
        }
        ids.push(row.try_get_by_index(0)?);
    }
    Ok(ids)
}

impl Batch {
    /// Reads and folds the texts of `ids`.
    pub(super) async fn read(database: &Database, user: &str, ids: &[Uuid]) -> Result<Self, Error> {
        let messages = message::Entity::find()
            .filter(message::Column::UserId.eq(user))
            .filter(message::Column::Id.is_in(ids.iter().copied()));
        let messages = database.read(|connection| Box::pin(messages.clone().all(connection))).await?;
        let titles = conversation::Entity::find()
            .filter(conversation::Column::UserId.eq(user))
            .filter(conversation::Column::Id.is_in(ids.iter().copied()));
        let titles = database.read(|connection| Box::pin(titles.clone().all(connection))).await?;
        let mut found = HashMap::new();
        for row in messages.into_iter().filter(|row| row.status.is_terminal()) {
            let entry = Entry::prepare(user, row.content).await?;
            found.insert(row.id, Found { is_title: false, revision: row.revision, entry });
        }
        for row in titles {
            let entry = Entry::prepare(user, row.title.unwrap_or_default()).await?;
            found.insert(row.id, Found { is_title: true, revision: row.revision, entry });
        }
        let rows = ids.iter().map(|id| Row { id: *id, found: found.remove(id) }).collect();
        Ok(Self { user: user.to_owned(), rows })
    }

    /// Stores the entries, and takes their texts off the backlog. Texts that have changed since they were read stay on
    /// it.
    pub(super) async fn store(&self, write: &Write) -> Result<(), Error> {
        let ids: Vec<Uuid> = self.rows.iter().map(|row| row.id).collect();
        let revisions = self.revisions(write, &ids).await?;
        let mut done = Vec::new();
        for row in &self.rows {
            match (&row.found, revisions.get(&row.id)) {
                (Some(found), Some(revision)) if found.revision == *revision => {
                    if found.is_title {
                        store_title(write, &self.user, row.id, &found.entry).await?;
                    } else {
                        store_message(write, &self.user, row.id, &found.entry).await?;
                    }
                }
                (Some(_), Some(_)) => continue,
                (None, _) | (_, None) => {}
            }
            done.push(row.id);
        }
        let delete = Query::delete()
            .from_table(Alias::new("search_backlog"))
            .and_where(Expr::col(Alias::new("user_id")).eq(self.user.as_str()))
            .and_where(Expr::col(Alias::new("id")).is_in(done))
            .to_owned();
        write.execute(&delete).await?;
        Ok(())
    }

    /// The revisions of those rows that exist.
    async fn revisions(&self, write: &Write, ids: &[Uuid]) -> Result<HashMap<Uuid, i64>, DbErr> {
        let messages = message::Entity::find()
            .select_only()
            .columns([message::Column::Id, message::Column::Revision])
            .filter(message::Column::UserId.eq(self.user.as_str()))
            .filter(message::Column::Id.is_in(ids.iter().copied()))
            .into_tuple::<(Uuid, i64)>()
            .all(&**write)
            .await?;
        let titles = conversation::Entity::find()
            .select_only()
            .columns([conversation::Column::Id, conversation::Column::Revision])
            .filter(conversation::Column::UserId.eq(self.user.as_str()))
            .filter(conversation::Column::Id.is_in(ids.iter().copied()))
            .into_tuple::<(Uuid, i64)>()
            .all(&**write)
            .await?;
        Ok(messages.into_iter().chain(titles).collect())
    }
}

/// Postpones a text, each time for longer.
pub(super) async fn postpone(write: &Write, user: &str, id: Uuid) -> Result<(), Error> {
    let attempts: Option<Attempts> = write.first(ATTEMPTS, [user.into(), id.into()]).await?;
    let Some(Attempts { attempts }) = attempts else { return Ok(()) };
    let retry_at = write.now + RETRY_DELAY * (1 << attempts.clamp(0, MAX_DOUBLINGS));
    write.run(POSTPONE, [user.into(), id.into(), retry_at.into()]).await?;
    Ok(())
}
