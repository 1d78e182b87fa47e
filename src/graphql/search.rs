//! Search as clients see it.

use async_graphql::{Enum, ID, InputObject, Object, SimpleObject};

use super::connection::PageInfo;
use super::conversation::Conversation;
use super::cursor::Cursor;
use super::id;
use super::message::{Message, Role};
use super::scalar::DateTime;
use crate::chat::{self, Chat, Hit, Page, Slice};
use crate::error::Error;
use crate::search;

/// Where to search. What is left out, or `null`, sets no bounds.
#[derive(Default, InputObject)]
pub(super) struct SearchFilter {
    /// Only in this conversation. Nothing is found if there is no such conversation.
    conversation_id: Option<ID>,
    /// Only texts of messages, or only titles.
    scope: Option<SearchScope>,
    /// Only messages of this role, and no titles.
    role: Option<Role>,
    /// Whether to leave out messages that edits and regenerations took off their conversation's active path.
    #[graphql(default)]
    active_path_only: bool,
    /// Only messages that were created then or later, and titles of conversations that were.
    created_since: Option<DateTime>,
    /// Only messages that were created before then, and titles of conversations that were.
    created_before: Option<DateTime>,
}

/// What to search.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::SearchScope")]
pub(super) enum SearchScope {
    /// The texts of messages.
    Messages,
    /// The titles of conversations.
    Titles,
}

/// A page of what was found.
pub(super) struct SearchConnection(Page<Hit>);

/// A hit's place in the list.
#[derive(SimpleObject)]
pub(super) struct SearchEdge {
    /// The place, for `after`. It stays good when other messages are written, changed or deleted: going on from
    /// it then repeats no hit, and skips none that was there all the time.
    cursor: String,
    /// The hit.
    node: SearchHit,
}

/// A page of what was found.
#[Object]
impl SearchConnection {
    /// The hits with their places.
    async fn edges(&self) -> Vec<SearchEdge> {
        let edge = |hit: &Hit| SearchEdge { cursor: hit.cursor.encode(), node: SearchHit(hit.clone()) };
        self.0.items.iter().map(edge).collect()
    }

    /// The hits.
    async fn nodes(&self) -> Vec<SearchHit> {
        self.0.items.iter().cloned().map(SearchHit).collect()
    }

    /// Where this page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.0, |hit| hit.cursor.encode())
    }
}

/// A message or a conversation's title that was found.
pub(super) struct SearchHit(Hit);

/// A message or a conversation's title that was found.
#[Object]
impl SearchHit {
    /// The conversation.
    async fn conversation(&self) -> Conversation {
        self.0.conversation.clone().into()
    }

    /// The message. `null` if it is the conversation's title that was found.
    async fn message(&self) -> Option<Message> {
        self.0.message.clone().map(Message::from)
    }

    /// The part of the message or title that shows best why it was found.
    async fn snippet(&self) -> Result<SearchSnippet, Error> {
        Ok(self.0.snippet().await?.into())
    }
}

/// A part of a text, with what was searched for marked in it.
#[derive(SimpleObject)]
pub(super) struct SearchSnippet {
    /// The part as it was written, about 200 characters at most. It is plain text: escape it before it becomes
    /// HTML.
    text: String,
    /// What of `text` was searched for, in order, apart from each other. Empty if the query only excludes.
    ranges: Vec<TextRange>,
    /// Whether there is text before the part.
    starts_inside: bool,
    /// Whether there is text after the part.
    ends_inside: bool,
}

/// A part of a string, counted in UTF-16 code units: `text.slice(start, end)` in JavaScript.
#[derive(SimpleObject)]
pub(super) struct TextRange {
    /// The first unit, counted from 0.
    start: usize,
    /// The unit after the last one.
    end: usize,
}

impl From<search::Snippet> for SearchSnippet {
    fn from(snippet: search::Snippet) -> Self {
        let range = |range: search::Range| TextRange { start: range.start, end: range.end };
        Self {
            text: snippet.text,
            ranges: snippet.ranges.into_iter().map(range).collect(),
            starts_inside: snippet.starts_inside,
            ends_inside: snippet.ends_inside,
        }
    }
}

/// A page of hits.
pub(super) async fn search_page(
    chat: &Chat,
    query: &str,
    first: Option<i32>,
    after: Option<&str>,
    filter: Option<SearchFilter>,
) -> Result<SearchConnection, Error> {
    let after = chat::SearchCursor::parse("after", after)?;
    let slice = Slice::new(first, after, None, None)?;
    let filter = filter.unwrap_or_default();
    let conversation_id = match &filter.conversation_id {
        None => None,
        Some(id) => match id::parse(id) {
            None => return Ok(SearchConnection(Page::empty())),
            id => id,
        },
    };
    let filter = chat::SearchFilter {
        conversation_id,
        scope: filter.scope.map(chat::SearchScope::from),
        role: filter.role.map(Into::into),
        active_path_only: filter.active_path_only,
        created_since: filter.created_since.map(|instant| instant.0),
        created_before: filter.created_before.map(|instant| instant.0),
    };
    Ok(SearchConnection(chat.search(query, &filter, slice).await?))
}
