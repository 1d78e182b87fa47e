//! Full-text search in the viewer's messages and titles.

mod snippets;
mod statement;

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use uuid::Uuid;

use self::snippets::{Snippets, Text};
use self::statement::statement;
use super::{Chat, Page, Slice};
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
    is_title: bool,
}

impl Found {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let cursor = SearchCursor { score: row.try_get("", "score")?, id: row.try_get("", "id")? };
        Ok(Self { cursor, is_title: row.try_get::<i32>("", "is_title")? == 1 })
    }
}

impl Chat {
    /// A page of the viewer's messages and titles that match `query`, best first; empty if the query has no terms.
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
        let Some(statement) = statement(backend, self.user(), &query, filter, &slice) else {
            return Ok(Page::empty());
        };
        let found = self
            .database
            .read_expensive_for(self.user(), |connection| connection.query_all_raw(statement.clone()))
            .await?;
        let found: Vec<Found> = found.iter().map(Found::read).collect::<Result<_, _>>()?;
        let Page { items, has_previous, has_next } = Page::from_rows(found, &slice);
        Ok(Page { items: self.hits(&items, &query).await?, has_previous, has_next })
    }

    /// The rows of the hits, without those that were deleted meanwhile.
    async fn hits(&self, found: &[Found], query: &Arc<Query>) -> Result<Vec<Hit>, Error> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let of_kind = |title: bool| -> Vec<Uuid> {
            found.iter().filter(|found| found.is_title == title).map(|found| found.cursor.id).collect()
        };
        let messages = self.messages_by_id(&of_kind(false)).await?;
        let mut wanted = of_kind(true);
        wanted.extend(messages.iter().map(|message| message.conversation_id));
        wanted.sort_unstable();
        wanted.dedup();
        let conversations = self.conversations_by_id(&wanted).await?;
        let row = |found: &Found| {
            let id = found.cursor.id;
            let message = if found.is_title {
                None
            } else {
                Some(messages.iter().find(|message| message.id == id)?.clone())
            };
            let id = message.as_ref().map_or(id, |message| message.conversation_id);
            let conversation = conversations.iter().find(|conversation| conversation.id == id)?.clone();
            Some((found.cursor, conversation, message))
        };
        let rows: Vec<_> = found.iter().filter_map(row).collect();
        let texts = rows.iter().map(|(_, conversation, message)| Text::new(conversation, message.as_ref()));
        let snippets = Arc::new(Snippets::new(self.user(), query.clone(), texts.collect()));
        let hit = |(number, (cursor, conversation, message))| Hit {
            cursor,
            conversation,
            message,
            number,
            snippets: snippets.clone(),
        };
        Ok(rows.into_iter().enumerate().map(hit).collect())
    }
}

/// Rounds `instant` up to the precision of stored instants.
fn round_up(instant: DateTime<Utc>) -> DateTime<Utc> {
    let instant = storable(instant);
    let whole = instant.trunc_subsecs(3);
    if whole == instant { whole } else { whole + TimeDelta::milliseconds(1) }
}
