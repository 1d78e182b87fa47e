//! What users think of replies, as clients see it.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::context::ContextExt;
use super::message::Message;
use crate::entity::message;
use crate::error::Error;

/// What a user thinks of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::Rating")]
pub(super) enum Rating {
    /// It is good.
    Up,
    /// It is not.
    Down,
}

/// What the viewer thinks of a reply.
pub(super) struct Feedback<'m> {
    rating: Rating,
    comment: Option<&'m str>,
}

impl<'m> Feedback<'m> {
    /// What there is of it in a row.
    pub(super) fn of(row: &'m message::Model) -> Option<Self> {
        let rating = row.rating?.into();
        Some(Self { rating, comment: row.rating_comment.as_deref() })
    }
}

/// What the viewer thinks of a reply.
#[Object]
impl Feedback<'_> {
    /// Good or not.
    async fn rating(&self) -> Rating {
        self.rating
    }

    /// The viewer's words about it. `null` if there are none.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn comment(&self, context: &Context<'_>) -> Result<Option<&str>, Error> {
        context.chat()?.take(self.comment.map_or(0, str::len))?;
        Ok(self.comment)
    }
}

/// A reply to rate.
#[derive(InputObject)]
pub(super) struct RateReplyInput {
    /// The reply, which must have ended.
    pub(super) message_id: ID,
    /// Good or not; `null` takes the rating before and its comment back.
    pub(super) rating: Option<Rating>,
    /// Words about it, in place of those before, at most 2,000 characters after trimming, without NUL. They need a
    /// rating.
    pub(super) comment: Option<String>,
}

/// The reply that was rated.
#[derive(SimpleObject)]
pub(super) struct RateReplyPayload {
    /// The reply with its new `feedback`.
    pub(super) reply: Message,
}
