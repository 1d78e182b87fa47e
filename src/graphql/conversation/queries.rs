//! Reading conversations.

use async_graphql::{Context, ID, Object};

use super::{Conversation, ConversationConnection, ConversationFilter, ConversationOrder, list};
use crate::error::Error;
use crate::graphql::shared::{ContextExt, Paging, parse_id};

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

    /// Returns the viewer's conversations. Archived and deleted ones are omitted unless the filter includes them.
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
        list(context, filter, order_by, Paging { first, after, last, before }).await
    }
}
