//! Searching messages and titles.

mod compiled;
mod hit;

use async_graphql::{Context, Enum, ID, InputObject, Object};

pub(super) use self::compiled::HitNode;
use self::hit::SearchHit;
use crate::chat::{self, Chat, Hit, Page, SearchCursor, Slice};
use crate::error::Error;
use crate::graphql::compiled::{Arguments, Inputs, List, SearchNeeds};
use crate::graphql::message::Role;
use crate::graphql::shared::{Connection, ContextExt, Cursor, DateTime, parse_id};

#[derive(Debug, Default)]
pub(crate) struct SearchQueries;

#[Object]
impl SearchQueries {
    /// Returns the messages and titles of conversations that contain the words of a query, best match first. A match
    /// ranks higher the more often it contains the words and the shorter it is; titles count double; of equal matches the
    /// newer one comes first.
    ///
    /// All words must be present. `"Words in quotes"` must be adjacent, `beginn*` matches every word with that prefix,
    /// and `-word` or `-"a phrase"` must be absent. Any other text stands for the words in it, so that every text is a
    /// valid query. Case, accents and punctuation are ignored. In Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese text,
    /// and for emoji, any part of the text matches; in other scripts only whole words match.
    ///
    /// A query without words matches nothing. Words and phrases after the first 32 are ignored. A reply can be found once
    /// it has ended. A cursor remains valid when messages are written, changed or deleted: continuing from it repeats no
    /// hit, and skips none that existed all the time.
    async fn search(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The words to search for: at most 10,000 characters.")] query: String,
        #[graphql(desc = "Returns the first _n_ items: at most 100, by default 20.")] first: Option<i32>,
        #[graphql(desc = "Returns only hits after this cursor, which must be of the same query and filter.")]
        after: Option<String>,
        #[graphql(desc = "Where to search. If it is omitted, the search covers all conversations.")]
        filter: Option<SearchFilter>,
    ) -> Result<Connection<SearchHit>, Error> {
        let chat = context.chat()?;
        let request = SearchRequest::new(query, first, after.as_deref(), filter)?;
        let page = context.look_ahead();
        let hits = [page.field("nodes"), page.field("edges").field("node")];
        let parts = hits.iter().any(|hit| {
            let message = hit.field("message");
            message.field("parts").exists() || message.field("progressCursor").exists()
        });
        let page = request.page(chat, parts).await?;
        Ok(Connection::new(page, |hit: &Hit| hit.cursor.encode()))
    }
}

/// What is searched for, and which hits are wanted.
pub(super) struct SearchRequest {
    query: String,
    filter: SearchFilter,
    slice: Slice<SearchCursor>,
}

impl SearchRequest {
    fn new(
        query: String,
        first: Option<i32>,
        after: Option<&str>,
        filter: Option<SearchFilter>,
    ) -> Result<Self, Error> {
        let after = SearchCursor::parse("after", after)?;
        let slice = Slice::new(first, after, None, None)?;
        Ok(Self { query, filter: filter.unwrap_or_default(), slice })
    }

    /// What the arguments of a compiled field ask for; `None` if one is wrong.
    pub(super) fn of(arguments: &Arguments, inputs: &Inputs<'_>) -> Option<Self> {
        let (query, filter) = (arguments.get("query", inputs)?, arguments.get("filter", inputs)?);
        let after: Option<String> = arguments.get("after", inputs)?;
        Self::new(query, arguments.get("first", inputs)?, after.as_deref(), filter).ok()
    }

    async fn page(self, chat: &Chat, parts: bool) -> Result<Page<Hit>, Error> {
        let Self { query, filter, slice } = self;
        match filter.conversation_id.as_ref().map(parse_id) {
            Some(None) => Ok(Page::empty()),
            id => chat.search(&query, &filter.with_conversation(id.flatten()), slice, parts).await,
        }
    }

    /// Reads the page, with what is needed of each hit.
    pub(super) async fn read(self, chat: &Chat, needs: SearchNeeds) -> Result<List<HitNode>, Error> {
        let Page { items: hits, has_previous, has_next } = self.page(chat, needs.parts).await?;
        let mut items = Vec::with_capacity(hits.len());
        for hit in hits {
            items.push(HitNode::new(hit, needs.snippets).await);
        }
        Ok(List::new(Page { items, has_previous, has_next }, (), None))
    }
}

/// Where to search. A field that is omitted or `null` does not narrow the search.
#[derive(Default, InputObject)]
struct SearchFilter {
    /// The id of the conversation to search. Nothing is found if there is no such conversation.
    conversation_id: Option<ID>,
    /// Whether to search only messages or only titles.
    scope: Option<SearchScope>,
    /// The role that messages must have. Titles are not searched then.
    role: Option<Role>,
    /// Whether to omit messages that are not on the active path of their conversation.
    #[graphql(default_with = "Some(false)")]
    active_path_only: Option<bool>,
    /// The instant at or after which the message, or the conversation with the title, must have been created.
    created_since: Option<DateTime>,
    /// The instant before which the message, or the conversation with the title, must have been created.
    created_before: Option<DateTime>,
}

impl SearchFilter {
    fn with_conversation(self, conversation_id: Option<uuid::Uuid>) -> chat::SearchFilter {
        chat::SearchFilter {
            conversation_id,
            scope: self.scope.map(Into::into),
            role: self.role.map(Into::into),
            active_path_only: self.active_path_only.unwrap_or_default(),
            created_since: self.created_since.map(|instant| instant.0),
            created_before: self.created_before.map(|instant| instant.0),
        }
    }
}

/// The texts to search.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::SearchScope")]
enum SearchScope {
    /// The texts of messages.
    Messages,
    /// The titles of conversations.
    Titles,
}
