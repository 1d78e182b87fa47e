//! Conversations as clients see them.

use async_graphql::{Context, ID, Object};

use super::connection::MessageConnection;
use super::context::ContextExt;
use super::cursor::Cursor;
use super::message::Message;
use super::scalar::{DateTime, Json};
use crate::chat::{Metadata, Page, Slice, Span};
use crate::entity::conversation;
use crate::error::Error;

/// A thread of messages between its owner and the assistant.
pub(super) struct Conversation {
    row: conversation::Model,
}

impl From<conversation::Model> for Conversation {
    fn from(row: conversation::Model) -> Self {
        Self { row }
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
    async fn metadata(&self) -> Json {
        Json(Metadata::read(&self.row.metadata).into())
    }

    /// How many messages the viewer has not read: those after the last one that `markRead` named. Who sends a message
    /// has read what is before it, so that its reply is unread from then on.
    async fn unread_count(&self) -> i64 {
        (self.row.last_position - self.row.read_position).max(0)
    }

    /// How many messages the conversation has.
    async fn message_count(&self) -> i64 {
        self.row.last_position
    }

    /// The newest message. `null` in a conversation without messages.
    async fn last_message(&self, context: &Context<'_>) -> Option<Result<Message, Error>> {
        let load = async {
            let rows = context.rows()?.load_one(Span::last_of(&self.row)).await?;
            Ok(rows.and_then(|mut rows| rows.pop()).map(Message::from))
        };
        load.await.transpose()
    }

    /// The messages, oldest first.
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
    ) -> Result<MessageConnection, Error> {
        messages_page(context, Some(&self.row), first, after, last, before).await
    }
}

/// A page of a conversation's messages; an empty one where there is no conversation.
pub(super) async fn messages_page(
    context: &Context<'_>,
    row: Option<&conversation::Model>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
) -> Result<MessageConnection, Error> {
    let after = i64::parse("after", after.as_deref())?;
    let before = i64::parse("before", before.as_deref())?;
    let slice = Slice::new(first, after, last, before)?;
    // In the trash a conversation has nothing but its name.
    let Some(row) = row.filter(|row| row.deleted_at.is_none()) else {
        return Ok(MessageConnection { page: Page::empty(), total: 0 });
    };
    let span = Span::of(row, &slice);
    let items = context.rows()?.load_one(span).await?.unwrap_or_default();
    let page = Page { items, has_previous: span.start > 1, has_next: span.end <= row.last_position };
    Ok(MessageConnection { page, total: row.last_position })
}
