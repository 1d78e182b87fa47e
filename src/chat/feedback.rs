//! Ratings of replies.

use sea_orm::ActiveEnum;
use sea_orm::sea_query::Expr;
use serde::Serialize;
use uuid::Uuid;

use super::receipt::IdempotentRequest;
use super::{Chat, text, unchanged};
use crate::database::Write;
use crate::entity::message::{self, Column, Rating};
use crate::error::Error;

/// A rating to set or to remove.
#[derive(Clone, Debug, Serialize)]
pub struct RateReply {
    /// The reply.
    pub message_id: Uuid,
    /// The rating; `None` removes it.
    pub rating: Option<Rating>,
    /// A comment on it.
    pub comment: Option<String>,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl Chat {
    /// Sets or removes the rating of a reply, and its comment with it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply; [`Error::InvalidState`] if it has not ended;
    /// [`Error::BadUserInput`] if there is a comment without a rating.
    pub async fn rate_reply(&self, mut request: RateReply) -> Result<message::Model, Error> {
        let comment = request.comment.as_deref().map(text::comment).transpose()?.flatten();
        request.comment = comment.map(str::to_owned);
        if request.rating.is_none() && request.comment.is_some() {
            return Err(Error::input("comment", "`comment` needs a `rating`."));
        }
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "rateReply", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    return Ok(unchanged(write, chat.own_reply(write, request.message_id).await?));
                }
                chat.rate(write, request).await
            })
        })
        .await
    }

    async fn rate(&self, write: &Write, request: &RateReply) -> Result<message::Model, Error> {
        if !self.own_reply(write, request.message_id).await?.status.is_terminal() {
            return Err(Error::InvalidState("Only a reply that has ended can be rated."));
        }
        let feedback = [
            (Column::Rating, Expr::value(request.rating.map(|rating| rating.to_value()))),
            (Column::RatingComment, Expr::value(request.comment.as_deref())),
        ];
        self.update_message(write, request.message_id, feedback).await
    }
}
