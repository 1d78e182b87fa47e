//! The viewer as clients see them.

use async_graphql::{Context, ID, Object};

use super::connection::ConversationConnection;
use super::context::ContextExt;
use super::conversation::Paging;
use super::cursor::Cursor;
use super::list::{ConversationFilter, ConversationOrder, conversations_page};
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

    /// The user's conversations; without a filter those that are not archived, newest activity first.
    #[expect(clippy::too_many_arguments, reason = "a connection has four of its own")]
    async fn conversations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which conversations; those that are not archived unless said otherwise.")]
        filter: Option<ConversationFilter>,
        #[graphql(desc = "In which order.", default_with = "Some(ConversationOrder::UpdatedAtDesc)")]
        order_by: Option<ConversationOrder>,
        #[graphql(
            desc = "How many from the start, or after `after`; 20 unless said otherwise, at most 100."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only conversations after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, or before `before`; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only conversations before this cursor.")] before: Option<String>,
    ) -> Result<ConversationConnection, Error> {
        conversations_page(context, filter, order_by, Paging { first, after, last, before }).await
    }
}
