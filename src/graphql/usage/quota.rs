//! Quotas.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::error::Error;
use crate::graphql::assistant::Assistant;
use crate::graphql::shared::{BigInt, ContextExt, DateTime, Decimal};
use crate::usage::{self, Amount, Measure, QuotaUsage};

/// A period of the calendar in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "usage::Period")]
enum QuotaPeriod {
    /// From midnight to midnight.
    Day,
    /// From the first day of a month to that of the next one.
    Month,
}

pub(super) struct Quota(pub(super) QuotaUsage);

impl Quota {
    fn allowance(&self, measure: Measure) -> Option<usage::Allowance> {
        self.0.allowances.iter().find(|(of, _)| *of == measure).map(|(_, allowance)| *allowance)
    }
}

/// How much the user may use in a period. A limit is reached when what is used and what is reserved come to it: a reply
/// reserves what it may use until it has ended.
#[Object]
impl Quota {
    /// When counting begins anew.
    async fn period(&self) -> QuotaPeriod {
        self.0.period.into()
    }

    /// When the next period begins.
    async fn resets_at(&self) -> DateTime {
        DateTime(self.0.resets_at)
    }

    /// The id of the assistant whose replies count. It is `null` if those of all count.
    async fn assistant_id(&self) -> Option<ID> {
        self.0.assistant.as_deref().map(ID::from)
    }

    /// The assistant whose replies count. It is `null` if those of all count, or the viewer may not choose it.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn assistant(&self, context: &Context<'_>) -> Result<Option<Assistant>, Error> {
        let Some(id) = &self.0.assistant else { return Ok(None) };
        Ok(Assistant::chosen(context.chat()?, id))
    }

    /// The number of replies. It is `null` if the quota does not limit it.
    async fn replies(&self) -> Option<Allowance> {
        self.allowance(Measure::Replies).map(Allowance::from)
    }

    /// The number of tokens, those of prompts and those written. It is `null` if the quota does not limit it.
    async fn tokens(&self) -> Option<Allowance> {
        self.allowance(Measure::Tokens).map(Allowance::from)
    }

    /// The cost in the server's currency. It is `null` if the quota does not limit it.
    async fn cost(&self) -> Option<CostAllowance> {
        self.allowance(Measure::Cost).map(CostAllowance::from)
    }
}

/// How much of a limit is used.
#[derive(SimpleObject)]
struct Allowance {
    /// The limit.
    limit: BigInt,
    /// How much was used.
    used: BigInt,
    /// How much is reserved for replies that have not ended.
    reserved: BigInt,
}

impl From<usage::Allowance> for Allowance {
    fn from(allowance: usage::Allowance) -> Self {
        let usage::Allowance { limit, used, reserved } = allowance;
        Self { limit: BigInt(limit), used: BigInt(used), reserved: BigInt(reserved) }
    }
}

/// How much of a limit in money is used.
#[derive(SimpleObject)]
struct CostAllowance {
    /// The limit.
    limit: Decimal,
    /// How much was used.
    used: Decimal,
    /// How much is reserved for replies that have not ended.
    reserved: Decimal,
}

impl From<usage::Allowance> for CostAllowance {
    fn from(allowance: usage::Allowance) -> Self {
        let amount = |billionths| Decimal(Amount::of_billionths(billionths));
        let usage::Allowance { limit, used, reserved } = allowance;
        Self { limit: amount(limit), used: amount(used), reserved: amount(reserved) }
    }
}
