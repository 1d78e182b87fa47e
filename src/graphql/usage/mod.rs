//! What the viewer has used, and may use.

mod day;
mod quota;

use async_graphql::{Context, Object};

use self::day::UsageDay;
use self::quota::Quota;
use super::shared::{ContextExt, Date};
use crate::error::Error;

/// The usage of the viewer.
#[derive(Default)]
pub(super) struct ViewerUsage;

#[Object]
impl ViewerUsage {
    /// The quotas of the user's plan, in the operator's order. All that count a reply must allow it.
    async fn quotas(&self, context: &Context<'_>) -> Result<Vec<Quota>, Error> {
        Ok(context.chat()?.quotas().await?.into_iter().map(Quota).collect())
    }

    /// What the user's replies and titles have used: for each day and each assistant, in this order. A reply counts on the
    /// day on which it was requested, once it has ended. Days are those of UTC; there may be at most 366.
    async fn usage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first day.")] since: Date,
        #[graphql(desc = "The last day; without it, the present one.")] until: Option<Date>,
    ) -> Result<Vec<UsageDay>, Error> {
        let days = context.chat()?.usage(since.0, until.map(|until| until.0)).await?;
        Ok(days.into_iter().map(UsageDay).collect())
    }
}
