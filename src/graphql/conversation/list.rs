//! Reading conversations.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::Conversation;
use crate::chat::{self, ConversationCursor};
use crate::error::Error;
use crate::graphql::shared::{Connection, ContextExt, Cursor, DateTime, Listed, Paging, parse_id};

#[derive(Debug, Default)]
pub(crate) struct ConversationQueries;

#[Object]
impl ConversationQueries {
    /// Returns a conversation of the viewer's, or `null` if there is no such conversation.
    async fn conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] id: ID,
    ) -> Option<Result<Conversation, Error>> {
        let load = async {
            let chat = context.chat()?;
            let Some(id) = parse_id(&id) else { return Ok(None) };
            Ok(chat.conversation(id).await?.map(Conversation::from))
        };
        load.await.transpose()
    }
}

/// Lists of the viewer's conversations, in the query type and in the viewer.
#[derive(Debug, Default)]
pub(crate) struct ConversationLists;

#[Object]
impl ConversationLists {
    /// Returns the viewer's conversations. Archived and deleted ones are omitted unless the filter includes them.
    #[expect(clippy::too_many_arguments, reason = "a connection has four of its own")]
    async fn conversations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which conversations to return.")] filter: Option<ConversationFilter>,
        #[graphql(desc = "The order.", default_with = "Some(ConversationOrder::UpdatedAtDesc)")]
        order_by: Option<ConversationOrder>,
        #[graphql(desc = "Returns the first _n_ items: at most 100, by default 20.")] first: Option<i32>,
        #[graphql(desc = "Returns only conversations after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items instead: at most 100.")] last: Option<i32>,
        #[graphql(desc = "Returns only conversations before this cursor.")] before: Option<String>,
    ) -> Result<ConversationConnection, Error> {
        let filter = filter.map(Into::into).unwrap_or_default();
        let order: chat::ConversationOrder = order_by.unwrap_or_default().into();
        let chat = context.chat()?;
        let paging = Paging { first, after, last, before };
        let slice = paging.slice(Some::<ConversationCursor>)?;
        for (name, cursor) in [("after", &slice.after), ("before", &slice.before)] {
            if cursor.as_ref().is_some_and(|cursor| cursor.order != order) {
                let message = format!(
                    "`{name}` is a cursor of another order; use one of a list with the same `orderBy`."
                );
                return Err(Error::input(name, message));
            }
        }
        let page = chat.conversations(&filter, order, slice).await?;
        Ok(Connection::with_fields(page, ConversationTotal(filter), |row| order.cursor(row).encode()))
    }
}

/// Which conversations a list contains. A field that is omitted or `null` does not narrow the list, except where its
/// default says otherwise.
#[derive(InputObject)]
struct ConversationFilter {
    /// Whether conversations must be archived (`true`) or must not be (`false`); with `null` the list contains both.
    #[graphql(default_with = "Some(false)")]
    archived: Option<bool>,
    /// Whether conversations must be pinned (`true`) or must not be (`false`).
    pinned: Option<bool>,
    /// A text that the title must contain, regardless of case and accents: at most 200 characters.
    title_contains: Option<String>,
    /// The instant at or after which a message must have been sent in the conversation.
    updated_since: Option<DateTime>,
    /// Whether to list the trash: with `true` the list contains only deleted conversations that can still be restored,
    /// otherwise only conversations that are not deleted.
    #[graphql(default_with = "Some(false)")]
    deleted: Option<bool>,
}

impl From<ConversationFilter> for chat::ConversationFilter {
    fn from(filter: ConversationFilter) -> Self {
        Self {
            archived: filter.archived,
            pinned: filter.pinned,
            title_contains: filter.title_contains,
            updated_since: filter.updated_since.map(|instant| instant.0),
            deleted: filter.deleted.unwrap_or(false),
        }
    }
}

/// The order of a list of conversations. A cursor is valid only for the order in which it was returned.
#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::ConversationOrder")]
enum ConversationOrder {
    /// Most recently updated first.
    #[default]
    UpdatedAtDesc,
    /// Least recently updated first.
    UpdatedAtAsc,
    /// Newest first.
    CreatedAtDesc,
    /// Oldest first.
    CreatedAtAsc,
    /// By title in ascending order of its characters, regardless of case and accents. Conversations without a title
    /// come first.
    TitleAsc,
    /// By title in the reverse of `TITLE_ASC`.
    TitleDesc,
    /// Pinned conversations first, then the others; each most recently updated first.
    PinnedFirst,
}

type ConversationConnection = Connection<Conversation, ConversationTotal>;

impl Listed for Conversation {
    const CONNECTION: &'static str = "ConversationConnection";
    const EDGE: &'static str = "ConversationEdge";
}

struct ConversationTotal(chat::ConversationFilter);

#[Object]
impl ConversationTotal {
    /// The number of conversations in the whole list. The server counts them only if this field is selected.
    async fn total_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        context.chat()?.conversation_count(&self.0).await
    }
}
