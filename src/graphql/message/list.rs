//! Reading messages.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::Message;
use crate::chat::{Page, PositionRange};
use crate::entity::{conversation, message};
use crate::error::Error;
use crate::graphql::shared::{
    Connection, ContextExt, Cursor, Listed, MessageId, Paging, PositionCursor, parse_id,
};

#[derive(Debug, Default)]
pub(crate) struct MessageQueries;

#[Object]
impl MessageQueries {
    /// Returns a message of the viewer's, or `null` if there is no such message.
    async fn message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The message's id.")] id: ID,
    ) -> Option<Result<Message, Error>> {
        let load = async {
            let chat = context.chat()?;
            let Some(id) = parse_id(&id) else { return Ok(None) };
            Ok(chat.message(id).await?.map(Message::from))
        };
        load.await.transpose()
    }

    /// Returns the messages of the active path of a conversation, or of another branch, oldest first. The list is empty
    /// if there is no such conversation.
    #[expect(clippy::too_many_arguments, reason = "a connection has four of its own")]
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The id of the conversation.")] conversation_id: ID,
        #[graphql(desc = "Returns the first _n_ items: at most 100, by default 20.")] first: Option<i32>,
        #[graphql(desc = "Returns only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items instead: at most 100.")] last: Option<i32>,
        #[graphql(desc = "Returns only messages before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Returns the branch that ends with this message instead of the active path, which does not change. \
                    The list is empty if the conversation has no such message."
        )]
        leaf_id: Option<ID>,
    ) -> Result<MessageConnection, Error> {
        let chat = context.chat()?;
        let row = match parse_id(&conversation_id) {
            Some(id) => chat.conversation(id).await?,
            None => None,
        };
        list(context, row.as_deref(), leaf_id.as_ref(), Paging { first, after, last, before }).await
    }
}

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
    let span = PositionRange::of(row.id, length, &slice);
    let items = match leaf {
        None => rows.load_one(span).await?.unwrap_or_default(),
        Some(leaf) => context.chat()?.branch(leaf, span).await?,
    };
    Ok(page(Page { items, has_previous: span.start > 1, has_next: span.end <= length }, length))
}
