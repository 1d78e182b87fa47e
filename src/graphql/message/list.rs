//! Reading messages.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use uuid::Uuid;

use super::Message;
use crate::chat::{CountedPage, Page, PathPage, PositionRange, Slice};
use crate::entity::message;
use crate::error::Error;
use crate::graphql::shared::{
    Connection, ContextExt, Cursor, Listed, MessageCursor, MessageId, Paging, parse_id,
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

    /// Returns the messages of the active path of a conversation, or of another branch, oldest first: without arguments
    /// the newest 20. The list is empty if there is no such conversation.
    ///
    /// A cursor is valid only for the same conversation and the same `leafId`; any other fails with `BAD_USER_INPUT`. On
    /// the active path it stands for a position: if the path has changed since then, the list continues with the
    /// messages that now come after or before that position. Those before the first message that was replaced are the
    /// same. With `leafId`, a cursor always leads to the same messages.
    #[expect(clippy::too_many_arguments, reason = "a connection has four of its own")]
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The id of the conversation.")] conversation_id: ID,
        #[graphql(desc = "Returns the first _n_ items: at most 100. It is 20 if only cursors are given.")]
        first: Option<i32>,
        #[graphql(desc = "Returns only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items instead: at most 100.")] last: Option<i32>,
        #[graphql(desc = "Returns only messages before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Returns the branch that ends with this message instead of the active path, which does not change. \
                    The list is empty if the conversation has no such message."
        )]
        leaf_id: Option<ID>,
    ) -> Result<MessageConnection, Error> {
        context.chat()?;
        let conversation = parse_id(&conversation_id).unwrap_or_default();
        list(context, conversation, leaf_id.as_ref(), Paging { first, after, last, before }).await
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
    conversation: Uuid,
    leaf_id: Option<&ID>,
    paging: Paging,
) -> Result<MessageConnection, Error> {
    // An id in another spelling is that of no message.
    let leaf = leaf_id.map(|id| parse_id(id).unwrap_or_default());
    let slice = page_slice(conversation, leaf, paging)?;
    let counted = match leaf {
        None => context.rows()?.load_one(PathPage { conversation, slice }).await?,
        Some(leaf) => branch(context, conversation, leaf, &slice).await?,
    };
    Ok(self::counted(counted.unwrap_or_else(CountedPage::empty), |row| {
        MessageCursor { conversation, leaf, position: row.position }.encode()
    }))
}

/// The part of a branch that is asked for.
pub(in crate::graphql) fn page_slice(
    conversation: Uuid,
    leaf: Option<Uuid>,
    paging: Paging,
) -> Result<Slice<i64>, Error> {
    paging.or_last_page().slice(|cursor: MessageCursor| {
        (cursor.conversation == conversation && cursor.leaf == leaf).then_some(cursor.position)
    })
}

/// A page of messages, each with its cursor.
pub(crate) fn counted(
    page: CountedPage<Arc<message::Model>>,
    cursor: impl Fn(&Arc<message::Model>) -> String,
) -> MessageConnection {
    let CountedPage { page, total } = page;
    Connection::with_fields(page, MessageTotal { total_count: total }, cursor)
}

/// A page of the branch that ends with message `leaf`, if there is one.
async fn branch(
    context: &Context<'_>,
    conversation: Uuid,
    leaf: Uuid,
    slice: &Slice<i64>,
) -> Result<Option<CountedPage<Arc<message::Model>>>, Error> {
    let row = context.rows()?.load_one(MessageId(leaf)).await?;
    let Some(row) = row.filter(|row| row.conversation_id == conversation) else { return Ok(None) };
    // The ancestors of a message never change.
    let total = row.position;
    let range = PositionRange::of(conversation, total, slice);
    let items = context.chat()?.branch(leaf, range).await?;
    // The message was deleted in between.
    if items.len() < range.count() {
        return Ok(None);
    }
    let page = Page { items, has_previous: range.start > 1, has_next: range.end <= total };
    Ok(Some(CountedPage { page, total }))
}
