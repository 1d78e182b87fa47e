//! The viewer as clients see them.

use async_graphql::{Context, ID, Object};

use super::connection::ConversationConnection;
use super::context::ContextExt;
use super::cursor::Cursor;
use crate::chat::{ConversationCursor, Slice};
use crate::error::Error;

/// The user behind the request.
pub(super) struct Viewer;

/// The user behind the request.
#[Object]
impl Viewer {
    /// The user's id, as the token's issuer wrote it.
    #[expect(clippy::unused_self, reason = "the macro wants it")]
    fn id(&self, context: &Context<'_>) -> Result<ID, Error> {
        Ok(context.chat()?.viewer().id().into())
    }

    /// Where the user's changes end now. Read it before anything else, and give it to `changes` as `since`: then
    /// nothing that changes while the rest is read is missed.
    async fn change_cursor(&self, context: &Context<'_>) -> Result<String, Error> {
        Ok(context.chat()?.change_cursor().await?.encode())
    }

    /// The user's conversations, newest activity first.
    async fn conversations(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "How many from the start, or after `after`; 20 unless said otherwise, at most 100."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only conversations after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, or before `before`; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only conversations before this cursor.")] before: Option<String>,
    ) -> Result<ConversationConnection, Error> {
        conversations_page(context, first, after, last, before).await
    }
}

/// A page of the viewer's conversations.
pub(super) async fn conversations_page(
    context: &Context<'_>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
) -> Result<ConversationConnection, Error> {
    let chat = context.chat()?;
    let after = ConversationCursor::parse("after", after.as_deref())?;
    let before = ConversationCursor::parse("before", before.as_deref())?;
    Ok(ConversationConnection(chat.conversations(Slice::new(first, after, last, before)?).await?))
}
