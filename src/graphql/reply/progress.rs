//! Following a reply while it is written.

use async_graphql::{Context, ID, Object, SimpleObject, Subscription, Union};
use futures_util::stream::{BoxStream, StreamExt};
use uuid::Uuid;

use crate::chat::Chat;
use crate::error::Error;
use crate::graphql::conversation::Conversation;
use crate::graphql::message::{Message, ToolCall};
use crate::graphql::shared::{ContextExt, Cursor, Encoded, ReplyCursor, require_id};
use crate::reply::{ProgressEvent, ReplyEvents, ReplyPosition};

#[derive(Debug, Default)]
pub(crate) struct ReplySubscriptions;

#[Subscription]
impl ReplySubscriptions {
    /// Streams a reply: what it has so far, then what the assistant writes, then the end of the reply.
    ///
    /// Append the text of each `ReplyText` and `ReplyReasoning` to the last part that you have if it is of the same kind, and
    /// begin a new part otherwise; each `ReplyToolCall` is a part of its own. The parts since the last `ReplyRestarted` are
    /// then the reply's `parts`, and their texts, concatenated, are its `content`.
    ///
    /// To resume after a lost connection, subscribe again at any server with the last cursor as `after`: nothing is repeated
    /// or skipped. Unsubscribing does not stop the reply; `stopReply` does.
    async fn reply_progress(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The id of the reply.")] message_id: ID,
        #[graphql(
            desc = "The cursor of the last event that was received, or the `progressCursor` of the reply. If it is \
                    omitted, the stream begins at the start of the reply."
        )]
        after: Option<String>,
    ) -> Result<Events, Error> {
        follow(context.chat()?, &message_id, after).await
    }
}

/// The events of a reply.
pub(in crate::graphql) type Events = BoxStream<'static, Result<ReplyEvent, Error>>;

/// What `replyProgress` streams.
pub(in crate::graphql) async fn follow(
    chat: &Chat,
    message_id: &ID,
    after: Option<String>,
) -> Result<Events, Error> {
    let id = require_id(message_id, "reply")?;
    let after = ReplyCursor::parse("after", after.as_deref())?;
    if after.is_some_and(|after| after.reply != id) {
        let message = "`after` is a cursor of another reply; use one of this reply, or omit it.";
        return Err(Error::input("after", message));
    }
    progress(chat, id, after.map(|after| after.position)).await
}

/// The events of reply `id` after a position.
pub(super) async fn progress(chat: &Chat, id: Uuid, after: Option<ReplyPosition>) -> Result<Events, Error> {
    Ok(encoded(id, chat.reply_progress(id, after).await?))
}

/// `events` of reply `id`, as clients get them.
pub(super) fn encoded(id: Uuid, events: ReplyEvents) -> Events {
    events.map(move |event| Ok(ReplyEvent::new(id, event?))).boxed()
}

/// An event of a reply. More kinds of events may be added: ignore those that you do not know.
#[derive(Union)]
pub(crate) enum ReplyEvent {
    Requested(ReplyRequested),
    Started(ReplyStarted),
    Reasoning(ReplyReasoning),
    Text(ReplyText),
    ToolCall(ReplyToolCall),
    Restarted(ReplyRestarted),
    Ended(ReplyEnded),
}

impl ReplyEvent {
    /// The event of reply `id` after which its reader is at this position.
    pub(crate) fn new(id: Uuid, (event, position): (ProgressEvent, ReplyPosition)) -> Self {
        let cursor = Encoded(ReplyCursor { reply: id, position });
        let attempt = position.attempt;
        match event {
            ProgressEvent::Started => Self::Started(ReplyStarted { cursor, attempt }),
            ProgressEvent::Reasoning(text) => Self::Reasoning(ReplyReasoning { cursor, text }),
            ProgressEvent::Text(text) => Self::Text(ReplyText { cursor, text }),
            ProgressEvent::ToolCall(index, call) => {
                Self::ToolCall(ReplyToolCall { cursor, tool_call: ToolCall::new(id, index, call) })
            }
            ProgressEvent::Restarted => Self::Restarted(ReplyRestarted { cursor, attempt }),
            ProgressEvent::Ended(row) => Self::Ended(ReplyEnded { cursor, reply: (*row).into() }),
        }
    }
}

pub(crate) struct ReplyRequested {
    pub(super) cursor: Encoded<ReplyCursor>,
    pub(super) reply: Message,
    /// `None` if it was not read.
    pub(super) conversation: Option<Conversation>,
    /// `None` if it was not read.
    pub(super) message: Option<Message>,
}

/// The request for the reply is stored durably. Only the subscriptions that request a reply send this event, as their first
/// one; the events after it bring the reply from its start, whatever `reply` has already.
#[Object]
impl ReplyRequested {
    /// The cursor of this event, for the argument `after`.
    async fn cursor(&self) -> &Encoded<ReplyCursor> {
        &self.cursor
    }

    /// The conversation that contains the reply.
    async fn conversation(&self, context: &Context<'_>) -> Result<Conversation, Error> {
        match &self.conversation {
            Some(conversation) => Ok(conversation.clone()),
            None => self.reply.conversation(context).await,
        }
    }

    /// The user's message that the reply answers.
    async fn message(&self, context: &Context<'_>) -> Result<Message, Error> {
        match &self.message {
            Some(message) => Ok(message.clone()),
            None => self.reply.load_parent(context).await?.ok_or(Error::NotFound("message")),
        }
    }

    /// The reply as it is now.
    async fn reply(&self) -> Message {
        self.reply.clone()
    }
}

/// The reply has begun. This event comes before all text, unless `after` is a cursor of a reply that had begun.
#[derive(SimpleObject)]
pub(crate) struct ReplyStarted {
    /// The cursor of this event, for the argument `after`.
    pub(super) cursor: Encoded<ReplyCursor>,
    /// The number of the attempt whose text follows, counted from 1.
    pub(super) attempt: i32,
}

/// The reply has more reasoning.
#[derive(SimpleObject)]
pub(crate) struct ReplyReasoning {
    /// The cursor of this event, for the argument `after`.
    pub(super) cursor: Encoded<ReplyCursor>,
    /// The reasoning to append: at most 64 KiB, and never empty.
    pub(super) text: String,
}

/// The reply has more text.
#[derive(SimpleObject)]
pub(crate) struct ReplyText {
    /// The cursor of this event, for the argument `after`.
    pub(super) cursor: Encoded<ReplyCursor>,
    /// The text to append: at most 64 KiB, and never empty.
    pub(super) text: String,
}

/// The reply has another tool call. Append it to the parts that you have: what follows begins a new part.
#[derive(SimpleObject)]
pub(crate) struct ReplyToolCall {
    /// The cursor of this event, for the argument `after`.
    pub(super) cursor: Encoded<ReplyCursor>,
    /// The tool call, whole.
    pub(super) tool_call: ToolCall,
}

/// The reply was restarted, or the end of its text was lost: discard all parts received before.
#[derive(SimpleObject)]
pub(crate) struct ReplyRestarted {
    /// The cursor of this event, for the argument `after`.
    pub(super) cursor: Encoded<ReplyCursor>,
    /// The number of the attempt whose text follows, counted from 1.
    pub(super) attempt: i32,
}

/// The reply has ended.
#[derive(SimpleObject)]
pub(crate) struct ReplyEnded {
    /// The cursor of this event, for the argument `after`.
    pub(super) cursor: Encoded<ReplyCursor>,
    /// The reply as it is now.
    pub(super) reply: Message,
}
