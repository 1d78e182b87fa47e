//! Finding conversations by their metadata.

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Value as Bound};

use super::metadata_index::Entry;
use super::{Chat, MetadataFilter};
use crate::error::Error;

/// How many conversations are few enough to read them all and sort them.
const FEW: i64 = 500;

/// How many conversations tell about how many have several values at once.
const SAMPLE: i64 = 200;

/// With fewer in the sample, reading the list in its order would take too long to find a page.
const FREQUENT: i64 = 10;

/// How a filter finds conversations.
pub(super) struct MetadataSearch {
    entries: Vec<Entry>,
    /// Whether the first entry is of few conversations: then these are read, rather than the list in its order.
    starts_with_first: bool,
}

impl MetadataSearch {
    /// Whether all conversations pass.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether few conversations pass.
    pub(super) fn is_rare(&self) -> bool {
        self.starts_with_first
    }

    /// The conditions on the conversations of `user`.
    pub(super) fn conditions(&self, backend: DbBackend, user: &str) -> Vec<SimpleExpr> {
        let condition = |(number, entry): (usize, &Entry)| {
            let values = [Bound::from(user), Bound::from(entry.clone())];
            let sql = match backend {
                // As an array they are found before the conversations; PostgreSQL would join in any order.
                DbBackend::Postgres if number == 0 && self.starts_with_first => {
                    "id = ANY(ARRAY(SELECT conversation_id FROM conversation_metadata
                        WHERE user_id = {1} AND entry = {2}))"
                }
                _ if number == 0 && self.starts_with_first => {
                    "id IN (SELECT conversation_id FROM conversation_metadata WHERE user_id = {1} AND entry = {2})"
                }
                // PostgreSQL would read all conversations that have the value; with `OFFSET 0` it looks at each row.
                DbBackend::Postgres => {
                    "EXISTS (SELECT 1 FROM conversation_metadata AS value WHERE value.user_id = {1}
                        AND value.entry = {2} AND value.conversation_id = conversation.id OFFSET 0)"
                }
                _ => {
                    "EXISTS (SELECT 1 FROM conversation_metadata AS value WHERE value.user_id = {1}
                        AND value.entry = {2} AND value.conversation_id = conversation.id)"
                }
            };
            let marks = if backend == DbBackend::Postgres { ["$1", "$2"] } else { ["?", "?"] };
            Expr::cust_with_values(sql.replace("{1}", marks[0]).replace("{2}", marks[1]), values)
        };
        self.entries.iter().enumerate().map(condition).collect()
    }
}

impl Chat {
    /// How to find the conversations that pass `filter`. If one of its values is rare, they are found by it. Otherwise
    /// the list is read in its order, unless a sample shows that its values seldom come together.
    pub(super) async fn metadata_search(&self, filter: &MetadataFilter) -> Result<MetadataSearch, Error> {
        let mut entries = filter.0.clone();
        if entries.is_empty() {
            return Ok(MetadataSearch { entries, starts_with_first: false });
        }
        let counts = self.count_entries(&entries).await?;
        let (rarest, count) =
            counts.into_iter().enumerate().min_by_key(|(_, count)| *count).unwrap_or_default();
        entries.swap(0, rarest);
        let starts_with_first =
            count < FEW || (entries.len() > 1 && self.sample_entries(&entries).await? < FREQUENT);
        Ok(MetadataSearch { entries, starts_with_first })
    }

    /// How many conversations have each of `entries`, up to [`FEW`].
    async fn count_entries(&self, entries: &[Entry]) -> Result<Vec<i64>, Error> {
        let count = |number: usize| {
            format!(
                "(SELECT COUNT(*) FROM (SELECT 1 FROM conversation_metadata
                  WHERE user_id = $1 AND entry = ${} LIMIT {FEW}) AS few)",
                number + 2
            )
        };
        let counts: Vec<String> = (0..entries.len()).map(count).collect();
        let row = self.entry_row(format!("SELECT {}", counts.join(", ")), entries).await?;
        let counts =
            (0..entries.len()).map(|index| row.try_get_by_index(index)).collect::<Result<_, DbErr>>();
        Ok(counts?)
    }

    /// How many of the newest [`SAMPLE`] conversations with the first of `entries` have all others.
    async fn sample_entries(&self, entries: &[Entry]) -> Result<i64, Error> {
        let other = |number: usize| {
            format!(
                "EXISTS (SELECT 1 FROM conversation_metadata AS other WHERE other.user_id = $1
                  AND other.entry = ${} AND other.conversation_id = sample.conversation_id)",
                number + 2
            )
        };
        let others: Vec<String> = (1..entries.len()).map(other).collect();
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT conversation_id FROM conversation_metadata
               WHERE user_id = $1 AND entry = $2 ORDER BY conversation_id DESC LIMIT {SAMPLE}) AS sample
             WHERE {}",
            others.join(" AND ")
        );
        Ok(self.entry_row(sql, entries).await?.try_get_by_index(0)?)
    }

    async fn entry_row(&self, sql: String, entries: &[Entry]) -> Result<QueryResult, Error> {
        let values = [Bound::from(self.user())].into_iter().chain(entries.iter().cloned().map(Bound::from));
        let statement = self.database.statement(sql, values);
        let row = self.read(|connection| connection.query_one_raw(statement.clone())).await?;
        row.ok_or_else(|| Error::Internal("a count without a row".to_owned()))
    }
}
