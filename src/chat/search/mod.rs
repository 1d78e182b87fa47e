//! Full-text search in the viewer's messages and titles.

mod snippets;
mod statement;

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sea_orm::{DbErr, FromQueryResult, QueryResult};
use uuid::Uuid;

use self::snippets::{Snippets, Text};
use self::statement::{CONVERSATION, MESSAGE, statement};
use super::read::{Effort, RowSize};
use super::{Chat, LongColumns, Page, Slice};
use crate::database::storable;
use crate::entity::message::Role;
use crate::entity::{conversation, message};
use crate::error::Error;
use crate::search::{MAX_CHARS, Query, Snippet};

/// What a search is limited to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// Only one conversation.
    pub conversation_id: Option<Uuid>,
    /// Only messages, or only titles.
    pub scope: Option<SearchScope>,
    /// Only messages of one role; no titles then.
    pub role: Option<Role>,
    /// Only messages on the active path of their conversation, and titles.
    pub active_path_only: bool,
    /// Only messages, and titles of conversations, that were created then or later.
    pub created_since: Option<DateTime<Utc>>,
    /// Only messages, and titles of conversations, that were created earlier.
    pub created_before: Option<DateTime<Utc>>,
}

/// The kind of text to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchScope {
    /// Texts of messages.
    Messages,
    /// Titles of conversations.
    Titles,
}

/// A position in the hits of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchCursor {
    /// How well the hit matches. It depends on nothing but the hit, so changes of other rows cannot move it.
    pub score: i64,
    /// The message's id, or the conversation's.
    pub id: Uuid,
}

/// A message or title that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Its position.
    pub cursor: SearchCursor,
    /// The conversation.
    pub conversation: Arc<conversation::Model>,
    /// The message; `None` if it is the conversation's title that was found.
    pub message: Option<Arc<message::Model>>,
    /// Which of the message's long columns were read.
    pub columns: LongColumns,
    /// Its index on the page.
    number: usize,
    snippets: Arc<Snippets>,
}

impl Hit {
    /// The part of the text that matches. The snippets of a page are made together when the first one is asked for.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be made.
    pub async fn snippet(&self) -> Result<Snippet, Error> {
        self.snippets.get(self.number).await
    }
}

/// A row of the search statement.
struct Found {
    cursor: SearchCursor,
    /// `None` for the row beyond the page.
    conversation: Option<conversation::Model>,
    message: Option<message::Model>,
}

impl FromQueryResult for Found {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let has_message = row.try_get::<Option<Uuid>>(MESSAGE, "id")?.is_some();
        let has_conversation = row.try_get::<Option<Uuid>>(CONVERSATION, "id")?.is_some();
        let message = || message::Model::from_query_result(row, MESSAGE);
        let conversation = || conversation::Model::from_query_result(row, CONVERSATION);
        Ok(Self {
            cursor: SearchCursor { score: row.try_get(prefix, "score")?, id: row.try_get(prefix, "id")? },
            conversation: has_conversation.then(conversation).transpose()?,
            message: has_message.then(message).transpose()?,
        })
    }
}

impl RowSize for Found {
    fn bytes(&self) -> usize {
        self.conversation.as_ref().map_or(0, RowSize::bytes) + self.message.as_ref().map_or(0, RowSize::bytes)
    }
}

impl Chat {
    /// A page of the viewer's messages and titles that match `query`, best first; empty if the query has no terms.
    ///
    /// Reasoning and parts are read of messages if `parts` says so, and are empty otherwise.
    ///
    /// A text ranks higher the more often it contains the terms and the shorter it is; titles count double, and the
    /// newer of two equals comes first. Rows that do not change are neither repeated nor skipped between pages.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the query has more than [`MAX_CHARS`] characters.
    pub async fn search(
        &self,
        query: &str,
        filter: &SearchFilter,
        slice: Slice<SearchCursor>,
        parts: bool,
    ) -> Result<Page<Hit>, Error> {
        let count = query.chars().count();
        if count > MAX_CHARS {
            let message = format!("`query` must have at most {MAX_CHARS} characters; it has {count}.");
            return Err(Error::input("query", message));
        }
        let query = Arc::new(Query::parse(query));
        if query.is_empty() {
            return Ok(Page::empty());
        }
        let backend = self.database.backend();
        let Some(statement) = statement(backend, self.user(), &query, filter, &slice, parts) else {
            return Ok(Page::empty());
        };
        let mut found: Vec<Found> = self.load_rows(statement, Effort::Expensive).await?;
        found.sort_unstable_by_key(|found| Reverse((found.cursor.score, found.cursor.id)));
        let Page { items, has_previous, has_next } = Page::from_rows(found, &slice);
        let columns = LongColumns { content: true, reasoning: parts, parts };
        Ok(Page { items: self.hits(items, &query, columns), has_previous, has_next })
    }

    fn hits(&self, found: Vec<Found>, query: &Arc<Query>, columns: LongColumns) -> Vec<Hit> {
        let row = |Found { cursor, conversation, message }: Found| {
            Some((cursor, Arc::new(conversation?), message.map(Arc::new)))
        };
        let rows: Vec<_> = found.into_iter().filter_map(row).collect();
        let texts = rows.iter().map(|(_, conversation, message)| Text::new(conversation, message.as_ref()));
        let snippets = Arc::new(Snippets::new(self.user(), query.clone(), texts.collect()));
        let hit = |(number, (cursor, conversation, message))| Hit {
            cursor,
            conversation,
            message,
            columns,
            number,
            snippets: snippets.clone(),
        };
        rows.into_iter().enumerate().map(hit).collect()
    }
}

/// Rounds `instant` up to the precision of stored instants.
fn round_up(instant: DateTime<Utc>) -> DateTime<Utc> {
    let instant = storable(instant);
    let whole = instant.trunc_subsecs(3);
    if whole == instant { whole } else { whole + TimeDelta::milliseconds(1) }
}
