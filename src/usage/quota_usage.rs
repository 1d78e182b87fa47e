//! How much of the quotas is used.

use std::collections::BTreeMap;

use chrono::{NaiveDate, Utc};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use super::reservation::{Asked, Expected};
use super::{Amount, Ledger, Measure, Period, Quota};
use crate::database::{Write, models};
use crate::error::Error;

const SPENT: &str = "
SELECT assistant_id, day, replies, input + output AS tokens, cost, reserved_replies, reserved_tokens, reserved_cost
FROM usage_day WHERE user_id = $1 AND day >= $2";

/// What was used and reserved on a day.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Spent {
    assistant_id: String,
    day: NaiveDate,
    replies: i64,
    tokens: i64,
    cost: i64,
    reserved_replies: i64,
    reserved_tokens: i64,
    reserved_cost: i64,
}

impl Spent {
    /// What was used and reserved of a measure.
    fn of(&self, measure: Measure) -> [i64; 2] {
        match measure {
            Measure::Replies => [self.replies, self.reserved_replies],
            Measure::Tokens => [self.tokens, self.reserved_tokens],
            Measure::Cost => [self.cost, self.reserved_cost],
        }
    }
}

/// How much of a limit is used: numbers, or billionths of the currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limit.
    pub limit: i64,
    /// What was used.
    pub used: i64,
    /// What is reserved for replies that have not ended.
    pub reserved: i64,
}

/// How much of a quota is used.
#[derive(Clone, Debug)]
pub struct QuotaUsage {
    /// The period.
    pub period: Period,
    /// When the next period begins.
    pub resets_at: DateTimeUtc,
    /// The assistant whose replies count; those of all without one.
    pub assistant: Option<String>,
    /// What it limits, in the order replies, tokens, cost.
    pub allowances: Vec<(Measure, Allowance)>,
}

/// A quota that does not allow a request.
#[derive(Clone, Debug)]
pub struct Exceeded {
    /// The period.
    pub period: Period,
    /// When the next period begins.
    pub resets_at: DateTimeUtc,
    /// The assistant whose replies count; those of all without one.
    pub assistant: Option<String>,
    /// What there is not enough of.
    pub measure: Measure,
    /// The limit, and what is used and reserved.
    pub allowance: Allowance,
}

impl Measure {
    /// A number of it as text.
    #[must_use]
    pub fn text(self, number: i64) -> String {
        match self {
            Self::Replies | Self::Tokens => number.to_string(),
            Self::Cost => Amount::of_billionths(number).to_string(),
        }
    }
}

impl Ledger {
    /// The statement that reads what quotas for users of `plan` need; `None` if there are none.
    pub(crate) fn spent(
        &self,
        backend: DbBackend,
        user: &str,
        plan: &str,
        now: DateTimeUtc,
    ) -> Option<Statement> {
        let today = self.calendar.day(now);
        let quotas = self.quotas_of(plan);
        let since = quotas.map(|quota| quota.period.first_day(today)).min()?;
        Some(Statement::from_sql_and_values(backend, SPENT, [user.into(), since.into()]))
    }

    /// How much of each quota for users of `plan` is used.
    pub(crate) fn quota_usages(&self, plan: &str, now: DateTimeUtc, spent: &[Spent]) -> Vec<QuotaUsage> {
        let today = self.calendar.day(now);
        let quotas = self.quotas_of(plan);
        quotas.map(|quota| self.usage_of(quota, today, spent)).collect()
    }

    fn usage_of(&self, quota: &Quota, today: NaiveDate, spent: &[Spent]) -> QuotaUsage {
        let since = quota.period.first_day(today);
        let counted = || spent.iter().filter(|spent| spent.day >= since && quota.counts(&spent.assistant_id));
        let allowance = |(measure, limit): (Measure, Option<i64>)| {
            let mut allowance = Allowance { limit: limit?, used: 0, reserved: 0 };
            for [used, reserved] in counted().map(|spent| spent.of(measure)) {
                allowance.used = allowance.used.saturating_add(used);
                allowance.reserved = allowance.reserved.saturating_add(reserved);
            }
            Some((measure, allowance))
        };
        QuotaUsage {
            period: quota.period,
            resets_at: self.calendar.start_of(quota.period.next(today)),
            assistant: quota.assistant.clone(),
            allowances: quota.limits().into_iter().filter_map(allowance).collect(),
        }
    }

    /// Why a request is refused of which so much is expected: the first quota that does not allow it.
    pub(super) async fn refusal(
        &self,
        write: &Write,
        asked: Asked<'_>,
        expected: &Expected,
        today: NaiveDate,
    ) -> Result<Error, Error> {
        let month = Period::Month.first_day(today);
        let values = [asked.user.into(), month.into()];
        let statement = Statement::from_sql_and_values(write.get_database_backend(), SPENT, values);
        let spent: Vec<Spent> = models(&write.query_all_raw(statement).await?)?;
        for quota in self.quotas_of(asked.plan).filter(|quota| quota.counts(asked.assistant)) {
            let QuotaUsage { period, resets_at, assistant, allowances } = self.usage_of(quota, today, &spent);
            let is_exceeded = |(measure, allowance): &(Measure, Allowance)| {
                let more = match measure {
                    Measure::Replies => 1,
                    Measure::Tokens => expected.tokens,
                    Measure::Cost => expected.cost.unwrap_or(0),
                };
                allowance.used.saturating_add(allowance.reserved).saturating_add(more) > allowance.limit
            };
            if let Some((measure, allowance)) = allowances.into_iter().find(is_exceeded) {
                let exceeded = Exceeded { period, resets_at, assistant, measure, allowance };
                return Ok(Error::QuotaExceeded(Box::new(exceeded)));
            }
        }
        Ok(Error::Internal("a request was refused by no quota".to_owned()))
    }
}

impl Quota {
    /// Its limits, in the order replies, tokens, cost.
    fn limits(&self) -> [(Measure, Option<i64>); 3] {
        [
            (Measure::Replies, self.replies),
            (Measure::Tokens, self.tokens),
            (Measure::Cost, self.cost.map(Amount::billionths)),
        ]
    }
}

impl Exceeded {
    /// What a client is told beside the code.
    pub(crate) fn extensions(&self) -> BTreeMap<&'static str, serde_json::Value> {
        let Allowance { limit, used, reserved } = self.allowance;
        let number = |number: i64| match self.measure {
            Measure::Replies | Measure::Tokens => number.into(),
            Measure::Cost => self.measure.text(number).into(),
        };
        BTreeMap::from([
            ("period", self.period.as_str().into()),
            ("assistant", self.assistant.clone().into()),
            ("measure", self.measure.as_str().into()),
            ("limit", number(limit)),
            ("used", number(used.saturating_add(reserved))),
            ("resetsAt", self.resets_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into()),
        ])
    }

    /// How many seconds are left of the period, at least one.
    pub(crate) fn seconds_left(&self) -> u64 {
        let left = (self.resets_at - Utc::now()).num_seconds();
        u64::try_from(left).unwrap_or_default().max(1)
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> String {
        let Allowance { limit, used, reserved } = self.allowance;
        let text = |number| self.measure.text(number);
        let period = match self.period {
            Period::Day => "day",
            Period::Month => "month",
        };
        format!(
            "The reply would exceed the quota of {} {} a {period}, of which {} are used; the next {period} begins at {}.",
            text(limit),
            self.measure,
            text(used.saturating_add(reserved)),
            self.resets_at.format("%Y-%m-%d %H:%M UTC"),
        )
    }
}
