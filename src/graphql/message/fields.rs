//! The fields of a message.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use super::{Message, MessageConnection, MessagePart, siblings};
use crate::entity::message;
use crate::error::Error;
use crate::graphql::assistant::{Assistant, Parameters};
use crate::graphql::conversation::Conversation;
use crate::graphql::reply::{Failure, Feedback, FinishReason, Usage};
use crate::graphql::shared::{
    ContextExt, ConversationId, Cursor, DateTime, Json, MessageId, Paging, ReplyCursor, read_metadata,
};
use crate::reply::ReplyPosition;

/// A message of a conversation: one that the user has sent, or a reply of the assistant.
#[Object]
impl Message {
    /// The message's id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The conversation that contains the message.
    pub(crate) async fn conversation(&self, context: &Context<'_>) -> Result<Conversation, Error> {
        let id = ConversationId(self.row.conversation_id);
        let row = context.rows()?.load_one(id).await?.ok_or(Error::NotFound("conversation"))?;
        Ok(row.into())
    }

    /// The message before this one on its branch. It is `null` for a first message.
    async fn parent(&self, context: &Context<'_>) -> Option<Result<Self, Error>> {
        self.load_parent(context).await.transpose()
    }

    /// Who wrote the message.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// The status of the message.
    async fn status(&self) -> MessageStatus {
        self.row.status.into()
    }

    /// The text: the texts of the `TextPart`s in `parts`, concatenated. For a reply that is being written it is the text so
    /// far. For a reply that was stopped or has failed it is the text up to then, which may be empty.
    async fn content(&self, context: &Context<'_>) -> Result<String, Error> {
        let row = self.row_with(context, self.columns.content).await?;
        context.chat()?.take(row.content.len())?;
        Ok(row.content.clone())
    }

    /// The parts of the message, in order: at most 1,200. A user's message has one `TextPart`. An empty message has none.
    async fn parts(&self, context: &Context<'_>) -> Result<Vec<MessagePart>, Error> {
        let row = self.row_with(context, self.columns.parts).await?;
        MessagePart::all_of(context.chat()?, &row)
    }

    /// The cursor for the argument `after` of `replyProgress` that belongs to exactly the `content` and `parts` that are
    /// returned with it: the stream then sends what follows them. It is `null` for a user's message, and for a reply that
    /// has ended.
    async fn progress_cursor(&self, context: &Context<'_>) -> Result<Option<String>, Error> {
        let row = self.row_with(context, self.columns.parts).await?;
        Ok(ReplyPosition::in_row(&row).map(|position| ReplyCursor { reply: row.id, position }.encode()))
    }

    /// Why the reply failed. It is `null` unless `status` is `FAILED`.
    async fn failure(&self) -> Option<Failure<'_>> {
        self.row.failure.as_ref().map(Failure)
    }

    /// Why the assistant ended the reply. It is `null` for a user's message, and for a reply that the assistant has not
    /// ended by itself.
    async fn finish_reason(&self) -> Option<FinishReason> {
        self.row.finish_reason.map(FinishReason::from)
    }

    /// The id of the assistant that the reply was asked of. It is `null` for a user's message.
    async fn assistant_id(&self) -> Option<ID> {
        self.row.assistant_id.as_deref().map(ID::from)
    }

    /// The assistant that the reply was asked of. It is `null` for a user's message, and if the viewer may no longer choose
    /// this assistant.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn assistant(&self, context: &Context<'_>) -> Result<Option<Assistant>, Error> {
        let Some(id) = self.row.assistant_id.as_deref() else { return Ok(None) };
        Ok(Assistant::of_reply(context.chat()?, id))
    }

    /// How the assistant was asked to write. It is `null` for a user's message, and if all was left to the model.
    async fn parameters(&self) -> Option<Parameters> {
        self.row.parameters.clone().map(Parameters::from)
    }

    /// The model that wrote the reply. It is `null` for a user's message, and as long as the model is not known.
    async fn model(&self) -> Option<&str> {
        self.row.model.as_deref()
    }

    /// The number of tokens that the reply has used. It is `null` for a user's message, and if the provider has not
    /// reported it.
    async fn usage(&self) -> Option<Usage> {
        self.row.usage.map(Usage::from)
    }

    /// The viewer's feedback on the reply. It is `null` for a user's message, and for a reply that is not rated.
    async fn feedback(&self) -> Option<Feedback<'_>> {
        Feedback::of(&self.row)
    }

    /// The client's own JSON object: at most 4,096 bytes as compact JSON, nested at most 16 levels deep, without NUL
    /// characters. The server stores it and does not interpret it. `updateMessageMetadata` merges into it.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn metadata(&self, context: &Context<'_>) -> Result<Json, Error> {
        read_metadata(context, &self.row.metadata)
    }

    /// The position of the message on its branch, counted from 1.
    async fn position(&self) -> i64 {
        self.row.position
    }

    /// Whether the message is on the active path of its conversation, which is the branch that the conversation shows. A
    /// change of the path is no change of its messages; see `ActivePathChanged`.
    async fn active(&self) -> bool {
        self.row.active
    }

    /// The versions of this message, itself included: all messages with the same parent, oldest first. `editMessage`
    /// adds a version of a user's message, and `regenerateReply` adds one of a reply. A cursor is valid only among the
    /// same siblings.
    async fn siblings(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items: at most 100, by default 20.")] first: Option<i32>,
        #[graphql(desc = "Returns only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items instead: at most 100.")] last: Option<i32>,
        #[graphql(desc = "Returns only messages before this cursor.")] before: Option<String>,
    ) -> Result<MessageConnection, Error> {
        siblings::list(context, &self.row, Paging { first, after, last, before }).await
    }

    /// The position of the message among its siblings, counted from 0.
    async fn sibling_index(&self, context: &Context<'_>) -> Result<i64, Error> {
        Ok(siblings::rank(context, &self.row).await?.index)
    }

    /// The number of siblings, the message itself included.
    async fn sibling_count(&self, context: &Context<'_>) -> Result<i64, Error> {
        Ok(siblings::rank(context, &self.row).await?.count)
    }

    /// The id of the sibling that was created before this one. It is `null` for the first one.
    async fn previous_version_id(&self, context: &Context<'_>) -> Result<Option<ID>, Error> {
        Ok(siblings::rank(context, &self.row).await?.previous.map(ID::from))
    }

    /// The id of the sibling that was created after this one. It is `null` for the last one.
    async fn next_version_id(&self, context: &Context<'_>) -> Result<Option<ID>, Error> {
        Ok(siblings::rank(context, &self.row).await?.next.map(ID::from))
    }

    /// When the message was sent, or the reply was requested.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the message was complete, was stopped or failed. It is `null` until then.
    async fn finished_at(&self) -> Option<DateTime> {
        self.row.finished_at.map(DateTime)
    }
}

impl Message {
    /// The message before this one, if there is one.
    pub(crate) async fn load_parent(&self, context: &Context<'_>) -> Result<Option<Self>, Error> {
        let Some(id) = self.row.parent_id else { return Ok(None) };
        Ok(context.rows()?.load_one(MessageId(id)).await?.map(Self::from))
    }

    /// The row, read whole unless `is_read`.
    async fn row_with(&self, context: &Context<'_>, is_read: bool) -> Result<Arc<message::Model>, Error> {
        if is_read {
            return Ok(self.row.clone());
        }
        let row = context.rows()?.load_one(MessageId(self.row.id)).await?;
        row.ok_or(Error::NotFound("message"))
    }
}

/// Who wrote a message.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::Role")]
pub(crate) enum Role {
    /// The user who owns the conversation.
    User,
    /// The assistant.
    Assistant,
}

/// The status of a message. A user's message is always `COMPLETE`.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::Status")]
pub(super) enum MessageStatus {
    /// The reply waits for an earlier reply in its conversation, or because the viewer or the server has as many
    /// unfinished replies as the server's configuration allows.
    Queued,
    /// The reply is being written.
    Generating,
    /// The message is complete.
    Complete,
    /// The user has stopped the reply. Its text up to then is kept.
    Stopped,
    /// The reply has failed; `failure` says why. Its text up to then is kept.
    Failed,
}
