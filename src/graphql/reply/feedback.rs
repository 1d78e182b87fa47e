//! What users think of replies.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::chat::RateReply;
use crate::entity::message;
use crate::error::Error;
use crate::graphql::message::Message;
use crate::graphql::shared::{ContextExt, Payload, payload, require_id};

/// The rating of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::Rating")]
pub(super) enum Rating {
    /// The reply is good.
    Up,
    /// The reply is not good.
    Down,
}

pub(crate) struct Feedback<'m> {
    rating: Rating,
    comment: Option<&'m str>,
}

impl<'m> Feedback<'m> {
    /// The feedback in a row, if there is any.
    pub(crate) fn of(row: &'m message::Model) -> Option<Self> {
        let rating = row.rating?.into();
        Some(Self { rating, comment: row.rating_comment.as_deref() })
    }
}

/// The viewer's feedback on a reply.
#[Object]
impl Feedback<'_> {
    /// The rating.
    async fn rating(&self) -> Rating {
        self.rating
    }

    /// The viewer's comment on the rating. It is `null` if there is none.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn comment(&self, context: &Context<'_>) -> Result<Option<&str>, Error> {
        context.chat()?.take(self.comment.map_or(0, str::len))?;
        Ok(self.comment)
    }
}

#[derive(Debug, Default)]
pub(crate) struct FeedbackMutations;

#[Object]
impl FeedbackMutations {
    /// Rates a reply, replacing an earlier rating, or removes the rating. The mutation fails with `INVALID_STATE` if the
    /// reply has not ended.
    async fn rate_reply(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RateReplyInput,
    ) -> Payload<RateReplyPayload> {
        payload(async {
            let chat = context.chat()?;
            let request = RateReply {
                message_id: require_id(&input.message_id, "reply")?,
                rating: input.rating.map(Into::into),
                comment: input.comment,
                idempotency_key: input.idempotency_key,
            };
            let row = chat.rate_reply(request).await?;
            Ok(RateReplyPayload { reply: row.into() })
        })
        .await
    }
}

/// The input of `rateReply`.
#[derive(InputObject)]
struct RateReplyInput {
    /// The id of the reply, which must have ended.
    message_id: ID,
    /// The rating. If it is omitted or `null`, the earlier rating and its comment are removed, unlike
    /// `UpdateConversationInput.title`, which then stays.
    rating: Option<Rating>,
    /// The comment, which replaces an earlier one: at most 2,000 characters after trimming, without NUL characters. It
    /// requires a rating.
    comment: Option<String>,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `rateReply`.
#[derive(SimpleObject)]
struct RateReplyPayload {
    /// The reply with its new `feedback`.
    reply: Message,
}
