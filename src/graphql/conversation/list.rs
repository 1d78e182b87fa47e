//! Reading conversations.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::Conversation;
use crate::chat::{self, Chat, ConversationCursor, ConversationPage, ListSelection, MetadataFilter, Slice};
use crate::error::Error;
use crate::graphql::compiled::{Arguments, Inputs};
use crate::graphql::shared::{Connection, ContextExt, Cursor, DateTime, Json, Listed, Paging, parse_id};

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
    /// Returns the viewer's conversations: the active ones, unless the filter names other states. The items, `totalCount`
    /// and `pageInfo` are of one moment.
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
        let chat = context.chat()?;
        let request = ListRequest::new(filter, order_by, Paging { first, after, last, before })?;
        let order = request.order;
        let counted = context.look_ahead().field("totalCount").exists();
        let wanted = ListSelection { counted, details: true };
        let ConversationPage { page, total } = request.read(chat, wanted).await?;
        Ok(Connection::with_fields(page, ConversationTotal(total), |row| order.cursor(row).encode()))
    }
}

/// Which page of which list is wanted.
pub(in crate::graphql) struct ListRequest {
    filter: chat::ConversationFilter,
    order: chat::ConversationOrder,
    slice: Slice<ConversationCursor>,
}

impl ListRequest {
    fn new(
        filter: Option<ConversationFilter>,
        order_by: Option<ConversationOrder>,
        paging: Paging,
    ) -> Result<Self, Error> {
        let filter = filter.map(ConversationFilter::checked).transpose()?.unwrap_or_default();
        let order: chat::ConversationOrder = order_by.unwrap_or_default().into();
        let slice = paging.slice(Some::<ConversationCursor>)?;
        for (name, cursor) in [("after", &slice.after), ("before", &slice.before)] {
            if cursor.as_ref().is_some_and(|cursor| cursor.order != order) {
                let message = format!(
                    "`{name}` is a cursor of another order; use one of a list with the same `orderBy`."
                );
                return Err(Error::input(name, message));
            }
        }
        Ok(Self { filter, order, slice })
    }

    /// What the arguments of a compiled field ask for; `None` if one is wrong.
    pub(in crate::graphql) fn of(arguments: &Arguments, inputs: &Inputs<'_>) -> Option<Self> {
        let (filter, order) = (arguments.get("filter", inputs)?, arguments.get("orderBy", inputs)?);
        Self::new(filter, order, arguments.paging(inputs)?).ok()
    }

    pub(in crate::graphql) fn order(&self) -> chat::ConversationOrder {
        self.order
    }

    /// Reads the page.
    pub(in crate::graphql) async fn read(
        self,
        chat: &Chat,
        wanted: ListSelection,
    ) -> Result<ConversationPage, Error> {
        chat.conversations(&self.filter, self.order, self.slice, wanted).await
    }
}

/// Which conversations a list contains. A field that is omitted or `null` does not narrow the list, except `states`.
#[derive(InputObject)]
struct ConversationFilter {
    /// The states that conversations may be in. `null` stands for `[ACTIVE]`, and an empty list matches nothing.
    #[graphql(default_with = "Some(vec![ConversationState::Active])")]
    states: Option<Vec<ConversationState>>,
    /// Whether conversations must be pinned (`true`) or must not be (`false`).
    pinned: Option<bool>,
    /// A text that the title must contain, regardless of case and accents: at most 200 characters.
    title_contains: Option<String>,
    /// The instant at or after which a message must have been sent in the conversation.
    updated_since: Option<DateTime>,
    /// A JSON object that the metadata must contain. An object is contained in one that has all its keys, with values
    /// that contain its values; an array, in one that has all its items; any other value, in an equal one. The object
    /// has at most 10 values and otherwise the bounds of a conversation's `metadata`; the items of its arrays are
    /// neither arrays nor objects.
    metadata: Option<Json>,
}

impl ConversationFilter {
    fn checked(self) -> Result<chat::ConversationFilter, Error> {
        let states = self.states.map(|states| states.into_iter().map(Into::into).collect());
        let metadata = self.metadata.map(|metadata| MetadataFilter::new(&metadata.0)).transpose();
        let metadata = metadata.map_err(|error| error.within("filter"))?;
        Ok(chat::ConversationFilter {
            states: states.unwrap_or_else(|| vec![chat::ConversationState::Active]),
            pinned: self.pinned,
            title_contains: self.title_contains,
            updated_since: self.updated_since.map(|instant| instant.0),
            metadata: metadata.unwrap_or_default(),
        })
    }
}

/// Where a conversation is kept.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::ConversationState")]
pub(super) enum ConversationState {
    /// Neither archived nor in the trash.
    Active,
    /// Archived. The conversation can still be read and continued.
    Archived,
    /// In the trash, from which `restoreConversation` can bring it back.
    Trashed,
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

/// The number of conversations in the list; it is counted if the operation selects it.
struct ConversationTotal(Option<u64>);

#[Object]
impl ConversationTotal {
    /// The number of conversations in the whole list, at the moment at which this page was read.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn total_count(&self) -> Result<u64, Error> {
        self.0.ok_or_else(|| Error::Internal("the list was read without its count".to_owned()))
    }
}
