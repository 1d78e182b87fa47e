//! Reading.

use async_graphql::{Context, ID, Object};

use super::change::{ChangeConnection, long_columns};
use super::connection::{ConversationConnection, MessageConnection};
use super::context::ContextExt;
use super::conversation::{Conversation, Paging, messages_page};
use super::cursor::Cursor;
use super::id;
use super::list::{ConversationFilter, ConversationOrder, conversations_page};
use super::message::Message;
use super::node::Node;
use super::search::{SearchConnection, SearchFilter, search_page};
use super::viewer::Viewer;
use crate::chat::{ChangeCursor, Slice};
use crate::error::Error;

/// Reading. Everything is the viewer's own: what belongs to somebody else is as if it did not exist.
#[derive(Debug)]
pub struct Query;

/// Reading. Everything is the viewer's own: what belongs to somebody else is as if it did not exist.
#[Object]
impl Query {
    /// The user behind the request.
    #[expect(clippy::unused_self, reason = "the macro wants it")]
    fn viewer(&self, context: &Context<'_>) -> Result<Viewer, Error> {
        context.chat()?;
        Ok(Viewer)
    }

    /// One of the viewer's conversations. `null` if there is no such conversation.
    async fn conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The conversation.")] id: ID,
    ) -> Option<Result<Conversation, Error>> {
        let load = async {
            let chat = context.chat()?;
            let Some(id) = id::parse(&id) else { return Ok(None) };
            Ok(chat.conversation(id).await?.map(Conversation::from))
        };
        load.await.transpose()
    }

    /// The viewer's conversations; without a filter those that are not archived, newest activity first.
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

    /// One of the viewer's messages. `null` if there is no such message.
    async fn message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The message.")] id: ID,
    ) -> Option<Result<Message, Error>> {
        let load = async {
            let chat = context.chat()?;
            let Some(id) = id::parse(&id) else { return Ok(None) };
            Ok(chat.message(id).await?.map(Message::from))
        };
        load.await.transpose()
    }

    /// The messages of the active path of one of the viewer's conversations, or of another branch, oldest first.
    /// Empty if there is no such conversation.
    #[expect(clippy::too_many_arguments, reason = "a connection has four of its own")]
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The conversation.")] conversation_id: ID,
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
        let chat = context.chat()?;
        let row = match id::parse(&conversation_id) {
            Some(id) => chat.conversation(id).await?,
            None => None,
        };
        let paging = Paging { first, after, last, before };
        messages_page(context, row.as_deref(), leaf_id.as_ref(), paging).await
    }

    /// Finds messages and titles of conversations by their words, best first: what says them more often in less
    /// text, with titles counting double; of equals the newer.
    ///
    /// All words must be there. `"Words in quotes"` must follow each other, `beginn*` stands for every word that
    /// begins so, and `-word` or `-"a phrase"` must not be there. Anything else stands for its words, so that no
    /// text is a mistake. Case, accents and punctuation do not count. In Chinese, Japanese, Korean, Thai, Lao,
    /// Khmer and Burmese any part of the text is found, and so are emoji; in other scripts whole words.
    ///
    /// A query without words finds nothing. At most the first 32 words and phrases count. A reply is found once
    /// it has ended, and what was deleted is not found any more.
    async fn search(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to search for, at most 10,000 characters.")] query: String,
        #[graphql(
            desc = "How many from the start, or after `after`; 20 unless said otherwise, at most 100."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only hits after this cursor, which must be of the same query and filter.")]
        after: Option<String>,
        #[graphql(desc = "Where to search; everywhere unless said otherwise.")] filter: Option<SearchFilter>,
    ) -> Result<SearchConnection, Error> {
        search_page(context.chat()?, &query, first, after.as_deref(), filter).await
    }

    /// One of the viewer's objects by its id alone. `null` if there is no such object.
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The object.")] id: ID,
    ) -> Option<Result<Node, Error>> {
        let load = async {
            let chat = context.chat()?;
            let Some(id) = id::parse(&id) else { return Ok(None) };
            if let Some(row) = chat.conversation(id).await? {
                return Ok(Some(Node::Conversation(row.into())));
            }
            Ok(chat.message(id).await?.map(|row| Node::Message(row.into())))
        };
        load.await.transpose()
    }

    /// What has changed for the viewer, in order: for a client that was away. Each row is there once, at the place
    /// of its last change and as it is now, but that a conversation's restoration has a place of its own. A page has
    /// fewer changes than asked for where their texts would be too much for one answer: `hasNextPage` then says that
    /// there are more.
    async fn changes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only changes after this cursor; from the beginning without one.")] since: Option<
            String,
        >,
        #[graphql(desc = "How many; 20 unless said otherwise, at most 100.")] first: Option<i32>,
    ) -> Result<ChangeConnection, Error> {
        let chat = context.chat()?;
        let since = ChangeCursor::parse("since", since.as_deref())?;
        let slice = Slice::new(first, since, None, None)?;
        let page = context.look_ahead();
        let columns = long_columns(&[page.field("nodes"), page.field("edges").field("node")]);
        Ok(ChangeConnection(chat.changes(slice.after, slice.limit, columns).await?))
    }
}
