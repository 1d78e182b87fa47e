//! Requesting a reply and following it, in one subscription.

use std::future::ready;

use async_graphql::{Context, Subscription};
use futures_util::stream::{self, StreamExt};

use super::mutations::{RegenerateReplyInput, RetryReplyInput};
use super::progress::{Events, ReplyEvent, ReplyRequested, encoded, progress};
use crate::chat::{Chat, ReplyRequest, Requested};
use crate::error::Error;
use crate::graphql::conversation::Conversation;
use crate::graphql::message::{EditMessageInput, Message, SendMessageInput};
use crate::graphql::shared::{ContextExt, Cursor, Encoded, ReplyCursor};
use crate::reply::ReplyPosition;

#[derive(Debug, Default)]
pub(crate) struct ReplyRequestSubscriptions;

/// Subscriptions that do what the mutations of the same names do, and then stream the reply.
#[Subscription]
impl ReplyRequestSubscriptions {
    /// Sends a message as the mutation `sendMessage` does, and streams the reply: first `ReplyRequested`, once the message
    /// is stored durably, and then what `replyProgress` streams.
    ///
    /// `idempotencyKey` is required, and `awaitReply` has no effect. Subscribing again with the same input, at any server
    /// and at any time until the key expires, stores nothing and streams the same reply: from its start with
    /// `ReplyRequested` first, or with `after` from there. Unsubscribing does not stop the reply; `stopReply` does. The
    /// subscription is refused over GET, as mutations are.
    async fn send_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: SendMessageInput,
        #[graphql(
            desc = "The cursor of the last event of the same request that was received, or the reply's `progressCursor`. \
                    The stream then begins after it, without `ReplyRequested`, and nothing is sent. It fails with \
                    `BAD_USER_INPUT` if `idempotencyKey` is unknown or has expired, or has requested another reply."
        )]
        after: Option<String>,
    ) -> Result<Events, Error> {
        request(context.chat()?, input.into_request().map(ReplyRequest::Send), after).await
    }

    /// Sends a new version of a user's message as the mutation `editMessage` does, and streams the reply; see the
    /// subscription `sendMessage`.
    async fn edit_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: EditMessageInput,
        #[graphql(desc = "The cursor of the last event that was received; see `sendMessage`.")] after: Option<
            String,
        >,
    ) -> Result<Events, Error> {
        request(context.chat()?, input.into_request().map(ReplyRequest::Edit), after).await
    }

    /// Requests a new version of a reply as the mutation `regenerateReply` does, and streams it; see the subscription
    /// `sendMessage`.
    async fn regenerate_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RegenerateReplyInput,
        #[graphql(desc = "The cursor of the last event that was received; see `sendMessage`.")] after: Option<
            String,
        >,
    ) -> Result<Events, Error> {
        request(context.chat()?, input.into_request().map(ReplyRequest::Regenerate), after).await
    }

    /// Restarts a reply that failed or was stopped as the mutation `retryReply` does, and streams it; see the subscription
    /// `sendMessage`.
    async fn retry_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RetryReplyInput,
        #[graphql(desc = "The cursor of the last event that was received; see `sendMessage`.")] after: Option<
            String,
        >,
    ) -> Result<Events, Error> {
        request(context.chat()?, input.into_request().map(ReplyRequest::Retry), after).await
    }
}

/// Requests a reply and follows it, or follows one that was requested before from `after` on.
pub(in crate::graphql) async fn request(
    chat: &Chat,
    request: Result<ReplyRequest, Error>,
    after: Option<String>,
) -> Result<Events, Error> {
    let within = |error: Error| error.within("input");
    let request = request.map_err(within)?;
    if request.idempotency_key().is_none() {
        let message = "A subscription that requests a reply needs an `idempotencyKey`: clients repeat it by themselves.";
        return Err(Error::input("input.idempotencyKey", message));
    }
    let after = ReplyCursor::parse("after", after.as_deref())?;
    if let Some(ReplyCursor { reply, position }) = after {
        if !chat.has_requested(request, reply).await.map_err(within)? {
            let message = "`after` is no cursor of what this `idempotencyKey` has requested; use one of the same request, \
                           or omit it.";
            return Err(Error::input("after", message));
        }
        return progress(chat, reply, Some(position)).await;
    }
    let Requested { conversation, message, reply } = chat.request_reply(request).await.map_err(within)?;
    let (id, events) = (reply.id, chat.follow_own_reply(&reply));
    let requested = ReplyRequested {
        cursor: Encoded(ReplyCursor { reply: id, position: ReplyPosition::START }),
        reply: reply.into(),
        conversation: conversation.map(Conversation::from),
        message: message.map(Message::from),
    };
    Ok(stream::once(ready(Ok(ReplyEvent::Requested(requested)))).chain(encoded(id, events)).boxed())
}
