//! The list of the messages of a branch.

use std::sync::Arc;

use async_graphql::{Context, ID, SimpleObject};

use super::Message;
use crate::chat::{Page, Span};
use crate::entity::{conversation, message};
use crate::error::Error;
use crate::graphql::shared::{
    Connection, ContextExt, Cursor, Listed, MessageId, Paging, PositionCursor, parse_id,
};

pub(crate) type MessageConnection = Connection<Message, MessageTotal>;

impl Listed for Message {
    const CONNECTION: &'static str = "MessageConnection";
    const EDGE: &'static str = "MessageEdge";
}

#[derive(SimpleObject)]
pub(crate) struct MessageTotal {
    /// The number of messages in the whole list.
    pub(super) total_count: i64,
}

/// A page of a branch of a conversation; an empty one if there is no such conversation or message.
pub(crate) async fn list(
    context: &Context<'_>,
    row: Option<&conversation::Model>,
    leaf_id: Option<&ID>,
    paging: Paging,
) -> Result<MessageConnection, Error> {
    let slice = paging.slice(|PositionCursor(position)| position)?;
    let page = |page: Page<Arc<message::Model>>, total_count| {
        Connection::with_fields(page, MessageTotal { total_count }, |row| {
            PositionCursor(row.position).encode()
        })
    };
    let empty = || page(Page::empty(), 0);
    // In the trash a conversation has no messages.
    let Some(row) = row.filter(|row| row.deleted_at.is_none()) else { return Ok(empty()) };
    let rows = context.rows()?;
    let (length, leaf) = match leaf_id {
        None => (row.last_position, None),
        Some(id) => {
            let Some(id) = parse_id(id) else { return Ok(empty()) };
            let leaf = rows.load_one(MessageId(id)).await?;
            match leaf.filter(|leaf| leaf.conversation_id == row.id) {
                None => return Ok(empty()),
                Some(leaf) => (leaf.position, Some(leaf.id)),
            }
        }
    };
    let span = Span::of(row.id, length, &slice);
    let items = match leaf {
        None => rows.load_one(span).await?.unwrap_or_default(),
        Some(leaf) => context.chat()?.branch(leaf, span).await?,
    };
    Ok(page(Page { items, has_previous: span.start > 1, has_next: span.end <= length }, length))
}
