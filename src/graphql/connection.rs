//! Lists in pages, as Relay's connections.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};

use super::context::ContextExt;
use super::conversation::Conversation;
use super::cursor::Cursor;
use super::message::Message;
use crate::chat::{ConversationFilter, ConversationOrder, Page};
use crate::entity::{conversation, message};
use crate::error::Error;

/// Where a page lies in its list.
#[derive(SimpleObject)]
pub(super) struct PageInfo {
    /// Whether there are items before this page.
    has_previous_page: bool,
    /// Whether there are items after this page.
    has_next_page: bool,
    /// The cursor of the page's first item: give it as `before` to go on backwards.
    start_cursor: Option<String>,
    /// The cursor of the page's last item: give it as `after` to go on forwards.
    end_cursor: Option<String>,
}

impl PageInfo {
    pub(super) fn of<T>(page: &Page<T>, cursor: impl Fn(&T) -> String) -> Self {
        Self {
            has_previous_page: page.has_previous,
            has_next_page: page.has_next,
            start_cursor: page.items.first().map(&cursor),
            end_cursor: page.items.last().map(&cursor),
        }
    }
}

/// A page of conversations.
pub(super) struct ConversationConnection {
    pub(super) page: Page<Arc<conversation::Model>>,
    pub(super) filter: ConversationFilter,
    pub(super) order: ConversationOrder,
}

/// A conversation's place in a list.
#[derive(SimpleObject)]
pub(super) struct ConversationEdge {
    /// The place, for `after` and `before`.
    cursor: String,
    /// The conversation.
    node: Conversation,
}

/// A page of conversations.
#[Object]
impl ConversationConnection {
    /// The conversations with their places.
    async fn edges(&self) -> Vec<ConversationEdge> {
        let edge = |row: &Arc<conversation::Model>| ConversationEdge {
            cursor: self.order.cursor(row).encode(),
            node: row.clone().into(),
        };
        self.page.items.iter().map(edge).collect()
    }

    /// The conversations.
    async fn nodes(&self) -> Vec<Conversation> {
        self.page.items.iter().cloned().map(Conversation::from).collect()
    }

    /// Where this page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.page, |row| self.order.cursor(row).encode())
    }

    /// How many conversations the whole list has. Counted only when asked for.
    async fn total_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        context.chat()?.conversation_count(&self.filter).await
    }
}

/// A page of messages: of a path through a conversation, or of siblings.
pub(super) struct MessageConnection {
    pub(super) page: Page<Arc<message::Model>>,
    pub(super) total: i64,
    /// A message's place in this list.
    pub(super) cursor: fn(&message::Model) -> String,
}

/// A message's place in a list.
#[derive(SimpleObject)]
pub(super) struct MessageEdge {
    /// The place, for `after` and `before`.
    cursor: String,
    /// The message.
    node: Message,
}

/// A page of messages.
#[Object]
impl MessageConnection {
    /// The messages with their places.
    async fn edges(&self) -> Vec<MessageEdge> {
        let edge =
            |row: &Arc<message::Model>| MessageEdge { cursor: (self.cursor)(row), node: row.clone().into() };
        self.page.items.iter().map(edge).collect()
    }

    /// The messages.
    async fn nodes(&self) -> Vec<Message> {
        self.page.items.iter().cloned().map(Message::from).collect()
    }

    /// Where this page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.page, |row| (self.cursor)(row))
    }

    /// How many messages the whole list has.
    async fn total_count(&self) -> i64 {
        self.total
    }
}
