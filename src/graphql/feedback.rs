//! What users think of replies, as clients see it.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use super::message::Message;
use crate::entity::message;

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
#[derive(SimpleObject)]
pub(super) struct Feedback {
    /// Good or not.
    rating: Rating,
    /// The viewer's words about it. `null` if there are none.
    comment: Option<String>,
}

impl Feedback {
    /// What there is of it in a row.
    pub(super) fn of(row: &message::Model) -> Option<Self> {
        let rating = row.rating?.into();
        Some(Self { rating, comment: row.rating_comment.clone() })
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
