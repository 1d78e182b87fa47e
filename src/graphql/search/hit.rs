//! What a search finds.

use async_graphql::{Object, SimpleObject};

use crate::chat::Hit;
use crate::error::Error;
use crate::graphql::conversation::Conversation;
use crate::graphql::message::Message;
use crate::graphql::shared::Listed;
use crate::search::Snippet;

pub(super) struct SearchHit(Hit);

impl From<Hit> for SearchHit {
    fn from(hit: Hit) -> Self {
        Self(hit)
    }
}

impl Listed for SearchHit {
    const CONNECTION: &'static str = "SearchConnection";
    const EDGE: &'static str = "SearchEdge";
}

/// A message or a title of a conversation that matches a search.
#[Object]
impl SearchHit {
    /// The conversation with the title, or that contains the message.
    async fn conversation(&self) -> Conversation {
        self.0.conversation.clone().into()
    }

    /// The message. It is `null` if the title of the conversation matches.
    async fn message(&self) -> Option<Message> {
        self.0.message.clone().map(|row| Message::partial(row, self.0.columns))
    }

    /// The part of the message or title that shows the match best.
    async fn snippet(&self) -> Result<SearchSnippet, Error> {
        Ok(self.0.snippet().await?.into())
    }
}

/// A part of a text that matches a search, with the matches in it.
#[derive(SimpleObject)]
struct SearchSnippet {
    /// The part as it was written: about 200 characters at most. It is plain text, so that it must be escaped in HTML.
    text: String,
    /// The matches in `text`, in order and without overlaps. The list is empty if the query only excludes words.
    ranges: Vec<TextRange>,
    /// Whether there is text before the part.
    starts_inside: bool,
    /// Whether there is text after the part.
    ends_inside: bool,
}

/// A range of a string in UTF-16 code units, as for `text.slice(start, end)` in JavaScript.
#[derive(SimpleObject)]
struct TextRange {
    /// The index of the first code unit, counted from 0.
    start: usize,
    /// The index after the last code unit.
    end: usize,
}

impl From<Snippet> for SearchSnippet {
    fn from(snippet: Snippet) -> Self {
        Self {
            text: snippet.text,
            ranges: snippet
                .ranges
                .iter()
                .map(|range| TextRange { start: range.start, end: range.end })
                .collect(),
            starts_inside: snippet.starts_inside,
            ends_inside: snippet.ends_inside,
        }
    }
}
