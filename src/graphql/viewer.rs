//! The viewer.

use async_graphql::{Context, ID, Object};

use super::conversation::{self, ConversationConnection, ConversationFilter, ConversationOrder};
use super::shared::{ContextExt, Cursor, Paging};
use crate::error::Error;

#[derive(Debug, Default)]
pub(super) struct ViewerQueries;

#[Object]
impl ViewerQueries {
    /// Returns the authenticated user.
    #[expect(clippy::unused_self, reason = "the macro wants it")]
    fn viewer(&self, context: &Context<'_>) -> Result<Viewer, Error> {
        context.chat()?;
        Ok(Viewer)
    }
}

struct Viewer;

/// The authenticated user.
#[Object]
impl Viewer {
    /// The user's id: a claim of the token, by default `sub`.
    #[expect(clippy::unused_self, reason = "the macro wants it")]
    fn id(&self, context: &Context<'_>) -> Result<ID, Error> {
        Ok(context.chat()?.viewer().id().into())
    }

    /// The cursor of the user's last change. A client that reads it first, and passes it to `changes` as `since` later,
    /// misses no change that happens while it reads the rest.
    async fn change_cursor(&self, context: &Context<'_>) -> Result<String, Error> {
        Ok(context.chat()?.change_cursor().await?.encode())
    }

    /// The user's conversations. Archived and deleted ones are omitted unless the filter includes them.
    #[expect(clippy::too_many_arguments, reason = "a connection has four of its own")]
    async fn conversations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which conversations to return.")] filter: Option<ConversationFilter>,
        #[graphql(desc = "The order of the list.", default_with = "Some(ConversationOrder::UpdatedAtDesc)")]
        order_by: Option<ConversationOrder>,
        #[graphql(
            desc = "Returns at most this many conversations from the start of the list, or after `after`: 0 to 100. \
                    The default is 20."
        )]
        first: Option<i32>,
        #[graphql(desc = "Returns only conversations after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Returns at most this many conversations from the end of the list, or before `before`: 0 to 100. \
                    It cannot be combined with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Returns only conversations before this cursor.")] before: Option<String>,
    ) -> Result<ConversationConnection, Error> {
        conversation::list(context, filter, order_by, Paging { first, after, last, before }).await
    }
}
