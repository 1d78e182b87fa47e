//! Conversations as clients see them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::connection::MessageConnection;
use super::context::ContextExt;
use super::cursor::Cursor;
use super::id;
use super::loader::MessageId;
use super::message::Message;
use super::scalar::{DateTime, Json};
use crate::chat::{Metadata, Page, PositionRange, Slice};
use crate::entity::{conversation, message};
use crate::error::Error;

/// A thread of messages between its owner and the assistant.
pub(super) struct Conversation {
    row: Arc<conversation::Model>,
}

impl From<Arc<conversation::Model>> for Conversation {
    fn from(row: Arc<conversation::Model>) -> Self {
        Self { row }
    }
}

impl From<conversation::Model> for Conversation {
    fn from(row: conversation::Model) -> Self {
        Arc::new(row).into()
    }
}

/// A thread of messages between its owner and the assistant.
#[Object]
impl Conversation {
    /// The conversation's id.
    pub(super) async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// What to show in a list: taken from the first message, or made by the assistant a little later, unless the user
    /// gave a title. `null` while there is neither.
    async fn title(&self) -> Option<&str> {
        self.row.title.as_deref()
    }

    /// When the conversation was started.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When a message was last sent in it.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When the viewer pinned it. `null` if it is not pinned.
    async fn pinned_at(&self) -> Option<DateTime> {
        self.row.pinned_at.map(DateTime)
    }

    /// When the viewer put it into the archive. `null` if it is not there. Lists leave it out unless asked for it;
    /// sending a message does not take it out.
    async fn archived_at(&self) -> Option<DateTime> {
        self.row.archived_at.map(DateTime)
    }

    /// When the viewer put it into the trash. `null` unless it is seen there, with the filter `deleted: true`. Its
    /// messages come back only with `restoreConversation`.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(DateTime)
    }

    /// The client's own JSON object. The server attaches no meaning to it.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn metadata(&self, context: &Context<'_>) -> Result<Json, Error> {
        context.chat()?.take(self.row.metadata.len())?;
        Ok(Json(Metadata::read(&self.row.metadata).into()))
    }

    /// How many messages the viewer has not read: those after the last one that `markRead` named. Who sends a message
    /// has read what is before it, so that its reply is unread from then on.
    async fn unread_count(&self) -> i64 {
        (self.row.last_position - self.row.read_position).max(0)
    }

    /// How many messages the active path has.
    async fn message_count(&self) -> i64 {
        self.row.last_position
    }

    /// The active path's last message. `null` in a conversation without messages.
    async fn last_message(&self, context: &Context<'_>) -> Option<Result<Message, Error>> {
        let load = async {
            let rows = context.rows()?.load_one(PositionRange::last_of(&self.row)).await?;
            Ok(rows.and_then(|mut rows| rows.pop()).map(Message::from))
        };
        load.await.transpose()
    }

    /// The messages of the active path, oldest first, or of another branch.
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "How many from the start, or after `after`; 20 unless said otherwise, at most 100."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, or before `before`; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
        #[graphql(desc = "The last message of the branch to read; the active path stays as it is. Without \
                          one, the active path. No messages if the conversation has no such message.")]
        leaf_id: Option<ID>,
    ) -> Result<MessageConnection, Error> {
        let paging = Paging { first, after, last, before };
        messages_page(context, Some(&self.row), leaf_id.as_ref(), paging).await
    }
}

/// Which page of a list is asked for.
pub(super) struct Paging {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
}

/// A page of a path through a conversation; an empty one where there is no such conversation or message.
pub(super) async fn messages_page(
    context: &Context<'_>,
    row: Option<&conversation::Model>,
    leaf_id: Option<&ID>,
    paging: Paging,
) -> Result<MessageConnection, Error> {
    let after = i64::parse("after", paging.after.as_deref())?;
    let before = i64::parse("before", paging.before.as_deref())?;
    let slice = Slice::new(paging.first, after, paging.last, before)?;
    let cursor = |row: &message::Model| row.position.encode();
    let nothing = MessageConnection { page: Page::empty(), total: 0, cursor };
    // In the trash a conversation has nothing but its name.
    let Some(row) = row.filter(|row| row.deleted_at.is_none()) else { return Ok(nothing) };
    let rows = context.rows()?;
    let (length, branch) = match leaf_id {
        None => (row.last_position, None),
        Some(id) => {
            let Some(id) = id::parse(id) else { return Ok(nothing) };
            let leaf = rows.load_one(MessageId(id)).await?;
            match leaf.filter(|leaf| leaf.conversation_id == row.id) {
                None => return Ok(nothing),
                Some(leaf) => (leaf.position, Some(leaf.id)),
            }
        }
    };
    let range = PositionRange::of(row.id, length, &slice);
    let items = match branch {
        None => rows.load_one(range).await?.unwrap_or_default(),
        Some(leaf) => context.chat()?.branch(leaf, range).await?,
    };
    let page = Page { items, has_previous: range.start > 1, has_next: range.end <= length };
    Ok(MessageConnection { page, total: length, cursor })
}
