//! What the viewer has used, and may use.

use chrono::NaiveDate;
use sea_orm::FromQueryResult;

use super::Chat;
use super::read::{Effort, RowSize};
use crate::database::now;
use crate::error::Error;
use crate::usage::{Amount, QuotaUsage, Spent};

/// How many days of usage one query may ask for.
const MAX_DAYS: i64 = 366;

/// About how many bytes a day takes.
const DAY_BYTES: usize = 256;

const DAYS: &str = "
SELECT day, assistant_id, replies, input + output AS tokens, cost FROM usage_day
WHERE user_id = $1 AND day >= $2 AND day <= $3 AND (replies > 0 OR input > 0 OR output > 0)
ORDER BY day, assistant_id";

/// What the replies of one assistant have used on a day.
#[derive(Clone, Debug, FromQueryResult)]
pub struct UsageDay {
    /// The day.
    pub day: NaiveDate,
    /// The assistant.
    pub assistant_id: String,
    /// How many replies were settled that were asked for on that day.
    pub replies: i64,
    /// How many tokens prompts and replies had.
    pub tokens: i64,
    cost: i64,
}

impl UsageDay {
    /// What it has cost.
    #[must_use]
    pub fn cost(&self) -> Amount {
        Amount::of_billionths(self.cost)
    }
}

impl RowSize for UsageDay {
    fn bytes(&self) -> usize {
        DAY_BYTES
    }
}

impl Chat {
    /// How much of each quota of the viewer's plan is used, in the operator's order.
    pub async fn quotas(&self) -> Result<Vec<QuotaUsage>, Error> {
        let (ledger, plan, now) = (self.replies.ledger(), self.viewer.plan(), now());
        let spent: Vec<Spent> = match ledger.spent(self.database.backend(), self.user(), plan, now) {
            Some(statement) => self.find(statement).await?,
            None => Vec::new(),
        };
        Ok(ledger.quota_usages(plan, now, &spent))
    }

    /// What was used from `since` to `until`, both included, which is today without it: of each day and assistant.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if these are more than 366 days, or none.
    pub async fn usage(&self, since: NaiveDate, until: Option<NaiveDate>) -> Result<Vec<UsageDay>, Error> {
        let until = until.unwrap_or_else(|| self.replies.ledger().calendar.day(now()));
        if until < since {
            return Err(Error::input("since", "`since` must not be after `until`."));
        }
        if (until - since).num_days() >= MAX_DAYS {
            return Err(Error::input("since", format!("`usage` returns at most {MAX_DAYS} days at a time.")));
        }
        let statement = self.database.statement(DAYS, [self.user().into(), since.into(), until.into()]);
        self.load_rows(statement, Effort::Usual).await
    }
}
