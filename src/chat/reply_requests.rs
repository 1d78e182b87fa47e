//! Requests for replies that are followed from the request on.

use sea_orm::{EntityTrait, QueryTrait};
use uuid::Uuid;

use super::new_message::Sent;
use super::receipt::IdempotentRequest;
use super::{Chat, EditMessage, RegenerateReply, Regenerated, RetryReply, SendMessage, spawn_and_wait, text};
use crate::entity::{conversation, message, receipt};
use crate::error::Error;

/// A request for a reply.
#[derive(Clone, Debug)]
pub enum ReplyRequest {
    /// To a message to send.
    Send(SendMessage),
    /// To another version of a message.
    Edit(EditMessage),
    /// Another version of one.
    Regenerate(RegenerateReply),
    /// Another attempt at one.
    Retry(RetryReply),
}

/// What a request for a reply has stored, as far as it was read.
#[derive(Clone, Debug)]
pub struct Requested {
    /// The conversation.
    pub conversation: Option<conversation::Model>,
    /// The user's message.
    pub message: Option<message::Model>,
    /// The reply.
    pub reply: message::Model,
}

impl ReplyRequest {
    /// Its key.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        match self {
            Self::Send(request) => request.idempotency_key.as_deref(),
            Self::Edit(request) => request.idempotency_key.as_deref(),
            Self::Regenerate(request) => request.idempotency_key.as_deref(),
            Self::Retry(request) => request.idempotency_key.as_deref(),
        }
    }

    /// Its receipt; `None` without a key. A text may have at most `chars` characters.
    fn idempotent(self, chars: usize) -> Result<Option<IdempotentRequest>, Error> {
        let checked = |content: &str| text::message(content, chars).map(str::to_owned);
        match self {
            Self::Send(request) => {
                SendMessage { content: checked(&request.content)?, ..request }.idempotent()
            }
            Self::Edit(request) => {
                EditMessage { content: checked(&request.content)?, ..request }.idempotent()
            }
            Self::Regenerate(request) => request.idempotent(),
            Self::Retry(request) => request.idempotent(),
        }
    }
}

impl From<Sent> for Requested {
    fn from(sent: Sent) -> Self {
        Self { conversation: Some(sent.conversation), message: Some(sent.message), reply: sent.reply }
    }
}

impl From<Regenerated> for Requested {
    fn from(regenerated: Regenerated) -> Self {
        Self { conversation: Some(regenerated.conversation), message: None, reply: regenerated.reply }
    }
}

impl Chat {
    /// Asks for a reply as [`Chat::send`], [`Chat::edit_message`], [`Chat::regenerate_reply`] or [`Chat::retry_reply`]
    /// does. All of that is done even if the caller drops the future.
    ///
    /// # Errors
    /// As theirs.
    pub async fn request_reply(&self, request: ReplyRequest) -> Result<Requested, Error> {
        let chat = self.clone();
        spawn_and_wait(async move {
            Ok(match request {
                ReplyRequest::Send(request) => chat.send(request).await?.into(),
                ReplyRequest::Edit(request) => Box::pin(chat.edit_message(request)).await?.into(),
                ReplyRequest::Regenerate(request) => chat.regenerate_reply(request).await?.into(),
                ReplyRequest::Retry(request) => {
                    let reply = chat.retry_reply(request).await?;
                    Requested { conversation: None, message: None, reply }
                }
            })
        })
        .await
    }

    /// Whether `request` was carried out before, and has asked for this reply. It is not carried out now.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`] if its key was used for something else; [`Error::NotFound`] if what it made is
    /// deleted.
    pub async fn has_requested(&self, request: ReplyRequest, reply: Uuid) -> Result<bool, Error> {
        let Some(request) = request.idempotent(self.limits.message_chars)? else { return Ok(false) };
        let key = (self.user().to_owned(), request.key().to_owned());
        let query = receipt::Entity::find_by_id(key).build(self.database.backend());
        let Some(earlier) = self.find::<receipt::Model>(query).await?.pop() else { return Ok(false) };
        Ok(request.created_by(&earlier)?.reply == Some(reply))
    }
}
