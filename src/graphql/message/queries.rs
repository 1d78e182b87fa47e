//! Reading messages.

use async_graphql::{Context, ID, Object};

use super::{Message, MessageConnection, list};
use crate::error::Error;
use crate::graphql::shared::{ContextExt, Paging, parse_id};

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
        #[graphql(
            desc = "Returns at most this many messages from the start of the list, or after `after`: 0 to 100. The \
                    default is 20."
        )]
        first: Option<i32>,
        #[graphql(desc = "Returns only messages after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Returns at most this many messages from the end of the list, or before `before`: 0 to 100. It \
                    cannot be combined with `first`."
        )]
        last: Option<i32>,
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
