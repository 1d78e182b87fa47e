//! Pages of active paths.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

use super::columns::{self, Columns};
use super::read::{Effort, ROW_BYTES, RowSize};
use super::{Chat, CountedPage, MessageColumns, Page, PositionRange, Slice};
use crate::database::Row;
use crate::entity::message;
use crate::error::Error;

/// How many pages one statement reads: each has four values, of which SQLite takes 32,766.
const MAX_PAGES: usize = 1000;

/// A page of the active path of a conversation. Its cursors are positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathPage {
    /// The conversation.
    pub conversation: Uuid,
    /// Which part of the path.
    pub slice: Slice<i64>,
}

impl PathPage {
    /// The page with the last message only.
    #[must_use]
    pub fn last_message(conversation: Uuid) -> Self {
        Self { conversation, slice: Slice { after: None, before: None, limit: 1, from_end: true } }
    }

    /// The bounds of the positions that are wanted, as far as they are known without the path's length: the first one,
    /// the one after the last, and how many from the end.
    pub(super) fn bounds(&self) -> [i64; 3] {
        // Far from the ends of what the databases count with.
        const MANY: i64 = 1 << 60;
        let Slice { after, before, limit, from_end } = self.slice;
        let limit = i64::try_from(limit).unwrap_or(MANY).min(MANY);
        let low = after.unwrap_or(0).clamp(0, MANY) + 1;
        let high = before.unwrap_or(MANY).clamp(0, MANY);
        if from_end { [low, high, limit] } else { [low, high.min(low + limit), MANY] }
    }
}

/// A message of a page, or none of an empty one.
struct PathRow {
    /// The page's index in the statement.
    number: i64,
    /// The length of the whole path.
    length: i64,
    message: Option<message::Model>,
}

impl RowSize for PathRow {
    fn bytes(&self) -> usize {
        self.message.as_ref().map_or(ROW_BYTES, RowSize::bytes)
    }
}

/// The position of the first message of a page.
pub(super) const START: &str = "CASE
        WHEN wanted.low > CASE WHEN wanted.high <= c.last_position THEN wanted.high ELSE c.last_position + 1 END - wanted.tail
        THEN wanted.low
        ELSE CASE WHEN wanted.high <= c.last_position THEN wanted.high ELSE c.last_position + 1 END - wanted.tail
    END";

impl Chat {
    /// Those of `pages` whose conversations the viewer has, each with the length of the path: up to 1,000 pages from one
    /// snapshot, and each further 1,000 from a later one. Of their messages these columns are read.
    pub async fn path_pages(
        &self,
        pages: &[PathPage],
        columns: MessageColumns,
    ) -> Result<HashMap<PathPage, CountedPage<Arc<message::Model>>>, Error> {
        let mut all = HashMap::with_capacity(pages.len());
        for pages in pages.chunks(MAX_PAGES) {
            let user = self.user().to_owned();
            let decode = move |row: Row<'_>| {
                let (number, length) = (row.get(0)?, row.get(1)?);
                let message = Columns::of(row, 2, &user).message(columns)?;
                Ok(PathRow { number, length, message })
            };
            let statement = self.path_statement(pages, columns);
            let mut read = PathPages::new(pages);
            for row in self.load_decoded(statement, Effort::Brief, decode).await? {
                read.add(row.number, row.length, row.message);
            }
            all.extend(read.finish());
        }
        Ok(all)
    }

    /// For each page a loop over its conversation, by key, and its messages, by position.
    fn path_statement(&self, pages: &[PathPage], columns: MessageColumns) -> Statement {
        let mut values = vec![Value::from(self.user())];
        let mut wanted = String::new();
        let backend = self.database.backend();
        for (number, page) in pages.iter().enumerate() {
            let first = values.len() + 1;
            values.push(page.conversation.into());
            values.extend(page.bounds().map(Value::from));
            let conversation = match backend {
                DbBackend::Postgres => format!("CAST(${first} AS UUID)"),
                _ => format!("${first}"),
            };
            let comma = if number > 0 { ", " } else { "" };
            let _ = write!(wanted, "{comma}({number}, {conversation}, {})", bounds_sql(first + 1));
        }
        let message: Vec<&str> = columns::message(columns).collect();
        let (message, selected) = (message.join(", m."), message.join(", "));
        let joins = match backend {
            // With `OFFSET 0` each is a loop over an index, also while there are no statistics.
            DbBackend::Postgres => format!(
                "CROSS JOIN LATERAL (
    SELECT last_position FROM conversation
    WHERE user_id = $1 AND id = wanted.conversation_id AND deleted_at IS NULL OFFSET 0
) AS c
LEFT JOIN LATERAL (
    SELECT {selected} FROM message
    WHERE user_id = $1 AND conversation_id = wanted.conversation_id AND active
        AND position >= {START} AND position < wanted.high OFFSET 0
) AS m ON TRUE"
            ),
            _ => format!(
                "CROSS JOIN conversation AS c
LEFT JOIN message AS m ON m.user_id = $1 AND m.conversation_id = wanted.conversation_id AND m.active
    AND m.position >= {START} AND m.position < wanted.high
WHERE c.user_id = $1 AND c.id = wanted.conversation_id AND c.deleted_at IS NULL"
            ),
        };
        let sql = format!(
            "WITH wanted (number, conversation_id, low, high, tail) AS (VALUES {wanted})
SELECT CAST(wanted.number AS BIGINT), c.last_position, m.{message}
FROM wanted {joins}"
        );
        self.database.statement(sql, values)
    }
}

/// The bounds of a page whose values begin with the one numbered `first`.
pub(super) fn bounds_sql(first: usize) -> String {
    format!("CAST(${first} AS BIGINT), CAST(${} AS BIGINT), CAST(${} AS BIGINT)", first + 1, first + 2)
}

/// Pages of which a statement returns the messages in any order, each with the number of its page.
pub(super) struct PathPages<'p> {
    pages: &'p [PathPage],
    /// The length of each path, as far as it is known, and the messages.
    read: Vec<(Option<i64>, Vec<Arc<message::Model>>)>,
}

impl<'p> PathPages<'p> {
    pub(super) fn new(pages: &'p [PathPage]) -> Self {
        Self { pages, read: vec![(None, Vec::new()); pages.len()] }
    }

    /// Notes a page of a path with this length, and perhaps a message of it, which was read without its conversation's id.
    pub(super) fn add(&mut self, number: i64, length: i64, message: Option<message::Model>) {
        let Ok(number) = usize::try_from(number) else { return };
        if let (Some(page), Some((known, messages))) = (self.pages.get(number), self.read.get_mut(number)) {
            known.get_or_insert(length);
            let conversation_id = page.conversation;
            messages.extend(message.map(|row| Arc::new(message::Model { conversation_id, ..row })));
        }
    }

    pub(super) fn finish(self) -> HashMap<PathPage, CountedPage<Arc<message::Model>>> {
        let pages = self.pages.iter().zip(self.read).filter_map(|(page, (length, mut items))| {
            let length = length?;
            items.sort_unstable_by_key(|message| message.position);
            let range = PositionRange::of(page.conversation, length, &page.slice);
            let items = Page { items, has_previous: range.start > 1, has_next: range.end <= length };
            Some((*page, CountedPage { page: items, total: length }))
        });
        pages.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_bounds_of_a_page_are_those_of_its_range_once_the_length_is_known(
            length in 0i64..12,
            after in prop::option::of(0i64..14),
            before in prop::option::of(0i64..14),
            limit in 0u64..6,
            from_end: bool,
        ) {
            let slice = Slice { after, before, limit, from_end };
            let page = PathPage { conversation: Uuid::nil(), slice };
            let [low, high, tail] = page.bounds();
            let start = low.max(high.min(length + 1) - tail);
            let read: Vec<i64> = (1..=length).filter(|place| (start..high).contains(place)).collect();
            let range = PositionRange::of(Uuid::nil(), length, &slice);
            prop_assert_eq!(read, (range.start..range.end).collect::<Vec<_>>());
        }
    }
}
