//! What was used on a day.

use async_graphql::{Context, ID, Object};

use crate::chat;
use crate::error::Error;
use crate::graphql::assistant::Assistant;
use crate::graphql::shared::{BigInt, ContextExt, Date, Decimal};

pub(super) struct UsageDay(pub(super) chat::UsageDay);

/// What the replies of one assistant have used on a day.
#[Object]
impl UsageDay {
    /// The day, in UTC.
    async fn day(&self) -> Date {
        Date(self.0.day)
    }

    /// The id of the assistant.
    async fn assistant_id(&self) -> ID {
        self.0.assistant_id.as_str().into()
    }

    /// The assistant. It is `null` if the viewer may no longer choose it.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn assistant(&self, context: &Context<'_>) -> Result<Option<Assistant>, Error> {
        Ok(Assistant::of_reply(context.chat()?, &self.0.assistant_id))
    }

    /// The number of replies. A reply that is retried counts again; one that a server has restarted does not.
    async fn replies(&self) -> BigInt {
        BigInt(self.0.replies)
    }

    /// The number of tokens, those of prompts and those written, estimated ones and those of titles included.
    async fn tokens(&self) -> BigInt {
        BigInt(self.0.tokens)
    }

    /// The cost in the server's currency, as far as prices are known.
    async fn cost(&self) -> Decimal {
        Decimal(self.0.cost())
    }
}
