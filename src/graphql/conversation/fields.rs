//! The fields of a conversation.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::Conversation;
use super::list::ConversationState;
use super::revision::Revision;
use crate::chat::{self, CountedPage, PathPage, Question, QueuePosition, Unended, UnendedReplies};
use crate::entity::conversation_setting;
use crate::error::Error;
use crate::graphql::assistant::{Assistant, Parameters};
use crate::graphql::message::{self, Message, MessageConnection};
use crate::graphql::shared::{
    ContextExt, Cursor, DateTime, Json, Paging, QueueCursor, SettingsOf, read_metadata,
};

/// A thread of messages between a user and the assistant.
#[Object]
impl Conversation {
    /// The conversation's id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The title. Unless the user has given one, the server takes it from the first message, and the assistant may
    /// replace it with a better one a little later. It is `null` while there is neither.
    async fn title(&self) -> Option<&str> {
        self.row.title.as_deref()
    }

    /// When the conversation was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When a message was last sent in the conversation.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When the viewer pinned the conversation. It is `null` if the conversation is not pinned.
    async fn pinned_at(&self) -> Option<DateTime> {
        self.row.pinned_at.map(DateTime)
    }

    /// Where the conversation is kept. Lists contain active conversations unless their filter names other states.
    async fn state(&self) -> ConversationState {
        chat::ConversationState::of(&self.row).into()
    }

    /// When the viewer archived the conversation. It is `null` if the conversation is not archived. Sending a message
    /// does not unarchive a conversation.
    async fn archived_at(&self) -> Option<DateTime> {
        self.row.archived_at.map(DateTime)
    }

    /// When the viewer deleted the conversation. It is `null` unless the conversation is in the trash. A conversation in
    /// the trash has no messages until `restoreConversation` brings them back.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(DateTime)
    }

    /// The revision: it changes with every change of the conversation itself, which sending a message and `markRead` are
    /// too. It is opaque; pass it to `updateConversation` as `ifRevision`.
    async fn revision(&self) -> String {
        Revision(self.row.revision).encode()
    }

    /// The client's own JSON object: at most 4,096 bytes as compact JSON, nested at most 16 levels deep, without NUL
    /// characters, at most 64 different values. The server stores it and does not interpret it. `updateConversation`
    /// merges into it.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn metadata(&self, context: &Context<'_>) -> Result<Json, Error> {
        read_metadata(context, &self.row.metadata)
    }

    /// The number of messages on the active path after the last one that the viewer has read. `markRead` says what was
    /// read. Sending a message marks all messages before its reply as read. A reply counts once it has ended; this
    /// does not change the `revision`, and other devices learn of it by the reply's `MessageChanged`, or by its
    /// `ReplyEnded` in a stream of changes with `replyText`.
    ///
    /// `unreadCount`, `activeReply` and `queuedReplies` are read together for all conversations of a page, and are of one
    /// moment, which may be a little later than that of the other fields. An `unreadCount` of 0 may be of either moment.
    async fn unread_count(&self, context: &Context<'_>) -> Result<i64, Error> {
        if self.row.last_position <= self.row.read_position {
            return Ok(0);
        }
        let unended = self.unended(context, Question::Unread).await?;
        Ok(unended.map_or(0, |unended| unended.unread))
    }

    /// The reply that is being written in the conversation, on the active path or not. It is `null` if there is none. A
    /// device learns that a reply has begun by its `MessageChanged`, and that it has ended by another one, or by its
    /// `ReplyEnded` in a stream of changes with `replyText`.
    async fn active_reply(&self, context: &Context<'_>) -> Option<Result<Message, Error>> {
        let unended = self.unended(context, Question::Active).await.transpose()?;
        unended.map(|unended| unended.replies.page.items.into_iter().next().map(Message::from)).transpose()
    }

    /// The replies that wait for their turn in the conversation, on the active path or not, in the order in which they
    /// are to begin. A device learns that a reply was queued, has begun or was stopped by its `MessageChanged`. A viewer
    /// has at most 500 of them in all conversations together, unless the server is configured otherwise.
    ///
    /// A cursor is valid only for the same conversation. It stands for a place in the queue, also after its reply has left
    /// the queue.
    async fn queued_replies(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items: at most 100, by default 20.")] first: Option<i32>,
        #[graphql(desc = "Returns only replies after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items instead: at most 100.")] last: Option<i32>,
        #[graphql(desc = "Returns only replies before this cursor.")] before: Option<String>,
    ) -> Result<MessageConnection, Error> {
        let conversation = self.row.id;
        let slice = Paging { first, after, last, before }
            .slice(|cursor: QueueCursor| (cursor.conversation == conversation).then_some(cursor.place))?;
        let unended = self.unended(context, Question::Queued(slice)).await?;
        let page = unended.map_or_else(CountedPage::empty, |unended| unended.replies);
        Ok(message::counted(page, |reply| {
            QueueCursor { conversation, place: QueuePosition::of(reply) }.encode()
        }))
    }

    /// The assistant that is chosen for the conversation. It is `null` if none is, or if the viewer may no longer choose it.
    async fn assistant(&self, context: &Context<'_>) -> Result<Option<Assistant>, Error> {
        let settings = self.settings(context).await?;
        let id = settings.as_ref().and_then(|settings| settings.assistant_id.as_deref());
        let Some(id) = id else { return Ok(None) };
        Ok(Assistant::chosen(context.chat()?, id))
    }

    /// The id of the assistant that is chosen for the conversation. It is `null` if none is: the viewer's then answers, else
    /// the default one. While it is one that the viewer may not choose, sending a message without another fails with
    /// `NOT_FOUND`.
    async fn assistant_id(&self, context: &Context<'_>) -> Result<Option<ID>, Error> {
        let settings = self.settings(context).await?;
        Ok(settings.and_then(|settings| settings.assistant_id.as_deref().map(ID::from)))
    }

    /// How the assistant is to write in the conversation. It is `null` if nothing is set.
    async fn parameters(&self, context: &Context<'_>) -> Result<Option<Parameters>, Error> {
        let settings = self.settings(context).await?;
        Ok(settings.and_then(|settings| settings.parameters.clone().map(Parameters::from)))
    }

    /// What the assistant is told before the conversation, beside the viewer's instructions.
    async fn instructions(&self, context: &Context<'_>) -> Result<Option<String>, Error> {
        let settings = self.settings(context).await?;
        let Some(text) = settings.and_then(|settings| settings.instructions.clone()) else { return Ok(None) };
        context.chat()?.take(text.len())?;
        Ok(Some(text))
    }

    /// The number of messages on the active path.
    async fn message_count(&self) -> i64 {
        self.row.last_position
    }

    /// The last message of the active path. It is `null` if the conversation has no messages.
    async fn last_message(&self, context: &Context<'_>) -> Option<Result<Message, Error>> {
        let load = async {
            let last = context.rows()?.load_one(PathPage::last_message(self.row.id)).await?;
            Ok(last.and_then(|mut last| last.page.items.pop()).map(Message::from))
        };
        load.await.transpose()
    }

    /// The messages of the active path, or of another branch, oldest first: without arguments the newest 20.
    ///
    /// A cursor is valid only for the same conversation and the same `leafId`; any other fails with `BAD_USER_INPUT`. On
    /// the active path it stands for a position: if the path has changed since then, the list continues with the
    /// messages that now come after or before that position. Those before the first message that was replaced are the
    /// same. With `leafId`, a cursor always leads to the same messages.
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items: at most 100. It is 20 if only cursors are given.")]
        first: Option<i32>,
        #[graphql(desc = "Returns only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items instead: at most 100.")] last: Option<i32>,
        #[graphql(desc = "Returns only messages before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "Returns the branch that ends with this message instead of the active path, which does not change. \
                    The list is empty if the conversation has no such message."
        )]
        leaf_id: Option<ID>,
    ) -> Result<MessageConnection, Error> {
        let paging = Paging { first, after, last, before };
        message::list(context, self.row.id, leaf_id.as_ref(), paging).await
    }
}

impl Conversation {
    /// What is chosen for the conversation. That of a page's conversations is read together.
    async fn settings(
        &self,
        context: &Context<'_>,
    ) -> Result<Option<Arc<conversation_setting::Model>>, Error> {
        context.rows()?.load_one(SettingsOf(self.row.id)).await
    }

    /// The answer to a question about the replies that have not ended. Those of a page's conversations are read together.
    async fn unended(&self, context: &Context<'_>, question: Question) -> Result<Option<Unended>, Error> {
        context.rows()?.load_one(UnendedReplies { conversation: self.row.id, question }).await
    }
}
