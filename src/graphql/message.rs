//! Messages as clients see them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use super::connection::MessageConnection;
use super::context::ContextExt;
use super::conversation::{Conversation, Paging};
use super::feedback::Feedback;
use super::loader::{ConversationId, MessageId};
use super::scalar::{DateTime, Json};
use super::sibling::{rank, siblings_page};
use crate::assistant;
use crate::chat::{LongColumns, Metadata};
use crate::entity::message;
use crate::error::Error;

/// One turn of a conversation: a user's message, or the assistant's reply.
pub(super) struct Message {
    row: Arc<message::Model>,
    /// What of its long columns is in the row.
    columns: LongColumns,
}

impl Message {
    /// A message of whose long columns only these were read, as the others are not asked for.
    pub(super) fn partial(row: Arc<message::Model>, columns: LongColumns) -> Self {
        Self { row, columns }
    }

    /// The row, read whole if it has to be.
    async fn row_with(&self, context: &Context<'_>, is_read: bool) -> Result<Arc<message::Model>, Error> {
        if is_read {
            return Ok(self.row.clone());
        }
        let row = context.rows()?.load_one(MessageId(self.row.id)).await?;
        row.ok_or(Error::NotFound("message"))
    }
}

impl From<Arc<message::Model>> for Message {
    fn from(row: Arc<message::Model>) -> Self {
        Self::partial(row, LongColumns::ALL)
    }
}

impl From<message::Model> for Message {
    fn from(row: message::Model) -> Self {
        Arc::new(row).into()
    }
}

/// One turn of a conversation: a user's message, or the assistant's reply.
#[Object]
impl Message {
    /// The message's id.
    pub(super) async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The conversation that it is part of.
    async fn conversation(&self, context: &Context<'_>) -> Result<Conversation, Error> {
        let id = ConversationId(self.row.conversation_id);
        let row = context.rows()?.load_one(id).await?.ok_or(Error::NotFound("conversation"))?;
        Ok(row.into())
    }

    /// The message before it. `null` for the first one.
    async fn parent(&self, context: &Context<'_>) -> Option<Result<Self, Error>> {
        let id = MessageId(self.row.parent_id?);
        let load = async { Ok(context.rows()?.load_one(id).await?.map(Self::from)) };
        load.await.transpose()
    }

    /// Who speaks.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// How far the message is.
    async fn status(&self) -> MessageStatus {
        self.row.status.into()
    }

    /// The text. Of a reply that is being written it is the text so far, and of one that was stopped or failed
    /// what had come until then; it may be empty.
    async fn content(&self, context: &Context<'_>) -> Result<String, Error> {
        let row = self.row_with(context, self.columns.content).await?;
        context.chat()?.take(row.content.len())?;
        Ok(row.content.clone())
    }

    /// The tool calls that the assistant asked for, in its order. The server executes none of them.
    async fn tool_calls(&self, context: &Context<'_>) -> Result<Vec<ToolCall>, Error> {
        let row = self.row_with(context, self.columns.tool_calls).await?;
        Ok((0..row.tool_calls.0.len()).map(|index| ToolCall { row: row.clone(), index }).collect())
    }

    /// Why the reply failed. `null` unless `status` is `FAILED`.
    async fn failure(&self) -> Option<Failure<'_>> {
        self.row.failure.as_ref().map(|failure| Failure(&failure.0))
    }

    /// Why a complete reply ended, as its provider told. `null` until it did, and in a user's message.
    async fn finish_reason(&self) -> Option<FinishReason> {
        self.row.finish_reason.map(FinishReason::from)
    }

    /// The model that wrote the reply. `null` until it is known, and in a user's message.
    async fn model(&self) -> Option<&str> {
        self.row.model.as_deref()
    }

    /// The tokens that the reply took. `null` if the provider did not tell, and in a user's message.
    async fn usage(&self) -> Option<Usage> {
        self.row.usage.map(|usage| Usage(usage.0))
    }

    /// What the viewer thinks of the reply. `null` until it is rated, and in a user's message.
    async fn feedback(&self) -> Option<Feedback<'_>> {
        Feedback::of(&self.row)
    }

    /// The client's own JSON object. The server attaches no meaning to it.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn metadata(&self, context: &Context<'_>) -> Result<Json, Error> {
        context.chat()?.take(self.row.metadata.len())?;
        Ok(Json(Metadata::read(&self.row.metadata).into()))
    }

    /// The message's place in its conversation, counted from 1.
    async fn position(&self) -> i64 {
        self.row.position
    }

    /// Whether the message is on the active path: whether the conversation now shows it.
    async fn active(&self) -> bool {
        self.row.active
    }

    /// The versions of the message, itself among them, in order of creation: what has the same parent. An edit makes
    /// a version of a user's message, and a regeneration one of a reply.
    async fn siblings(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "How many from the start, or after `after`; 20 unless said otherwise, at most 100."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, or before `before`; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
    ) -> Result<MessageConnection, Error> {
        siblings_page(context, &self.row, Paging { first, after, last, before }).await
    }

    /// The message's place among its siblings, counted from 0.
    async fn sibling_index(&self, context: &Context<'_>) -> Result<i64, Error> {
        Ok(rank(context, &self.row).await?.index)
    }

    /// How many siblings there are, the message itself among them.
    async fn sibling_count(&self, context: &Context<'_>) -> Result<i64, Error> {
        Ok(rank(context, &self.row).await?.count)
    }

    /// When the message was sent, or the reply asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the message was complete, stopped or failed. `null` until then.
    async fn finished_at(&self) -> Option<DateTime> {
        self.row.finished_at.map(DateTime)
    }
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::Role")]
pub(super) enum Role {
    /// The owner of the conversation.
    User,
    /// The assistant.
    Assistant,
}

/// How far a message is. A user's message is `COMPLETE` from the start.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::Status")]
pub(super) enum MessageStatus {
    /// The reply waits for its turn: for an earlier one in its conversation, or for room, if the viewer or the server has
    /// as many replies under way as may be.
    Queued,
    /// The reply is being written.
    Generating,
    /// Nothing more will come.
    Complete,
    /// The user stopped the reply; its text so far is kept.
    Stopped,
    /// The reply could not be finished; `failure` tells why, and its text so far is kept.
    Failed,
}

/// Why a reply ended.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::FinishReason")]
pub(super) enum FinishReason {
    /// The assistant had said all it wanted.
    Stop,
    /// The provider's limit of tokens was reached: the text ends early.
    Length,
    /// The assistant waits for the results of tool calls.
    ToolCalls,
    /// The provider's content filter ended the text.
    ContentFilter,
    /// Another reason of the provider's.
    Other,
}

/// A tool call that the assistant asked for.
pub(super) struct ToolCall {
    row: Arc<message::Model>,
    index: usize,
}

impl ToolCall {
    fn call(&self) -> &assistant::ToolCall {
        &self.row.tool_calls.0[self.index]
    }
}

/// A tool call that the assistant asked for.
#[Object]
impl ToolCall {
    /// The provider's id of the call.
    async fn id(&self) -> ID {
        self.call().id.as_str().into()
    }

    /// The tool's name.
    async fn name(&self) -> &str {
        &self.call().name
    }

    /// The arguments as JSON text, exactly as the assistant wrote them: not always valid JSON.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn arguments(&self, context: &Context<'_>) -> Result<&str, Error> {
        context.chat()?.take(self.call().arguments.len())?;
        Ok(&self.call().arguments)
    }
}

/// Tokens that a reply took. `null` is unknown, not zero.
pub(super) struct Usage(assistant::Usage);

/// Tokens that a reply took. `null` is unknown, not zero.
#[Object]
impl Usage {
    /// Tokens of what the assistant was shown.
    async fn input_tokens(&self) -> Option<u64> {
        self.0.input_tokens
    }

    /// Tokens that the assistant wrote.
    async fn output_tokens(&self) -> Option<u64> {
        self.0.output_tokens
    }

    /// Tokens among `inputTokens` that the provider took from its cache.
    async fn cached_input_tokens(&self) -> Option<u64> {
        self.0.cached_input_tokens
    }
}

/// Why a reply failed.
pub(super) struct Failure<'m>(&'m assistant::Failure);

/// Why a reply failed.
#[Object]
impl Failure<'_> {
    /// The kind of failure, for programs.
    async fn code(&self) -> FailureCode {
        self.0.code.into()
    }

    /// What happened, for people.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether another attempt may succeed without a change of anything.
    async fn retryable(&self) -> bool {
        self.0.retryable
    }
}

/// The kinds of failures of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "assistant::FailureCode")]
pub(super) enum FailureCode {
    /// The assistant could not be reached, or is overloaded or broken.
    AssistantUnavailable,
    /// The assistant did not answer, or fell silent, for too long.
    AssistantTimeout,
    /// The assistant refuses more requests for now.
    AssistantRateLimited,
    /// The assistant refused the request; the operator of the server must act.
    AssistantRejected,
    /// The conversation is longer than the assistant can read.
    ContextTooLong,
    /// The provider's content filter let nothing through.
    ContentFiltered,
    /// The text broke off before its end.
    Truncated,
    /// The assistant ended without a word.
    Empty,
    /// The server that wrote the reply died, and no attempts were left.
    Interrupted,
}
