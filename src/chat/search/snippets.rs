//! The snippets of a page of hits.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::blocking::{Cancelled, READING};
use crate::entity::{conversation, message};
use crate::error::Error;
use crate::search::{Query, Snippet};

/// The snippets of a page of hits, which are made once.
pub(super) struct Snippets {
    user: String,
    query: Arc<Query>,
    texts: Arc<[Text]>,
    made: OnceCell<Vec<Snippet>>,
}

/// Without the texts.
impl fmt::Debug for Snippets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Snippets").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

/// A text that was found: of a message, or the title of a conversation.
pub(super) enum Text {
    Message(Arc<message::Model>),
    Title(Arc<conversation::Model>),
}

impl Text {
    pub(super) fn new(
        conversation: &Arc<conversation::Model>,
        message: Option<&Arc<message::Model>>,
    ) -> Self {
        match message {
            Some(message) => Self::Message(message.clone()),
            None => Self::Title(conversation.clone()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Message(message) => &message.content,
            Self::Title(conversation) => conversation.title.as_deref().unwrap_or_default(),
        }
    }
}

impl Snippets {
    pub(super) fn new(user: &str, query: Arc<Query>, texts: Vec<Text>) -> Self {
        Self { user: user.to_owned(), query, texts: texts.into(), made: OnceCell::new() }
    }

    /// The snippet of the hit at index `number`.
    pub(super) async fn get(&self, number: usize) -> Result<Snippet, Error> {
        let made = self.made.get_or_try_init(|| self.make()).await?;
        let missing = || Error::Internal(format!("hit {number} has no snippet"));
        made.get(number).cloned().ok_or_else(missing)
    }

    async fn make(&self) -> Result<Vec<Snippet>, Error> {
        let (query, texts) = (self.query.clone(), self.texts.clone());
        let bytes = texts.iter().map(|text| text.as_str().len()).sum();
        let make = move |cancelled: &Cancelled<Vec<Snippet>>| {
            let wanted = texts.iter().take_while(|_| !cancelled.get());
            wanted.map(|text| Snippet::of(text.as_str(), &query)).collect()
        };
        READING.run(&self.user, bytes, make).await
    }
}
