//! What is expected of a request, and whether the quotas allow it: parts of the statement that reserves it.

use std::fmt::Write as _;

use chrono::NaiveDate;
use sea_orm::Value;
use serde::{Serialize, Serializer};

use super::ledger::{MAX_TOKENS, Terms};
use super::price::MAX_COST;
use super::{Amount, Ledger, Period, Price};

/// How many tokens a reply is expected to have at most if nothing limits it.
pub(crate) const REPLY_TOKENS: i64 = 1024;

/// The common table expressions `expected`, and `priced (assistant_id, input, tokens, cost)`. They want two others: `terms
/// (assistant_id, context, reply, input_price, output_price, reported)`, with the prices of one token, and `basis (usage,
/// bytes)`, of what is there before the new text.
const PRICED: &str = "expected AS (
    SELECT {text} + COALESCE(
        CAST(usage ->> 'input_tokens' AS BIGINT) + COALESCE(CAST(usage ->> 'output_tokens' AS BIGINT), 0),
        CASE WHEN bytes / 4 < terms.context THEN bytes / 4 ELSE terms.context END
    ) AS input FROM basis CROSS JOIN terms
), priced AS (
    SELECT terms.assistant_id, expected.input, expected.input + terms.reply AS tokens,
        CASE WHEN terms.reported THEN {reported}
            WHEN terms.input_price IS NULL THEN NULL
            WHEN expected.input * terms.input_price + terms.reply * terms.output_price > {maximum} THEN {maximum}
            ELSE CAST(ROUND(expected.input * terms.input_price + terms.reply * terms.output_price) AS BIGINT) END AS cost
    FROM expected CROSS JOIN terms
)";

/// What is expected of a request whose provider reports what it costs: for each token as much as the user's tokens of this
/// assistant have cost in this month, or else those of the last reply; nothing if neither is known.
const REPORTED: &str = "(
            SELECT CAST(ROUND(CASE WHEN each < {maximum} THEN each ELSE {maximum} END) AS BIGINT) FROM (
                SELECT (expected.input + terms.reply) * COALESCE(
                    (SELECT NULLIF(CAST(SUM(cost) AS DOUBLE PRECISION), 0) / NULLIF(SUM(input + output), 0) FROM usage_day
                        WHERE user_id = {user} AND day >= {month} AND assistant_id = terms.assistant_id),
                    CAST(usage ->> 'cost' AS DOUBLE PRECISION) / NULLIF(CAST(usage ->> 'input_tokens' AS BIGINT)
                        + COALESCE(CAST(usage ->> 'output_tokens' AS BIGINT), 0), 0),
                    0
                ) AS each FROM basis
            ) AS rated
        )";

/// What is expected of a request: parts of a statement, and their values.
pub(crate) struct Expectation {
    /// The common table expressions that lead to `priced`.
    pub(crate) priced: String,
    /// The condition that all quotas allow `priced`.
    pub(crate) allowed: String,
    /// The values of both.
    pub(crate) values: Vec<Value>,
}

impl Ledger {
    /// What is expected of a request by a user of `plan`. The statement names the user, and how many tokens the new text has,
    /// as `user` and `text`. The values are counted from `first` on.
    pub(crate) fn expectation(
        &self,
        plan: &str,
        [user, text]: [&str; 2],
        day: NaiveDate,
        first: usize,
    ) -> Expectation {
        let mut values = Values { values: Vec::new(), first };
        // Without such an assistant, no statement has to be larger for it.
        let is_reported = self.assistants.values().any(|terms| terms.price == Some(Price::Reported));
        let reported = if is_reported {
            REPORTED.replace("{month}", &values.add(Period::Month.first_day(day))).replace("{user}", user)
        } else {
            "NULL".to_owned()
        };
        let priced = PRICED.replace("{text}", text).replace("{reported}", &reported);
        let priced = priced.replace("{maximum}", &MAX_COST.to_string());
        let mut allowed = "TRUE".to_owned();
        for quota in self.quotas_of(plan) {
            let mut limits = Vec::new();
            for (limit, sum) in [
                (quota.replies, "SUM(replies + reserved_replies), 0) + 1"),
                (quota.tokens, "SUM(input + output + reserved_tokens), 0) + priced.tokens"),
                (
                    quota.cost.map(Amount::billionths),
                    "SUM(cost + reserved_cost), 0) + COALESCE(priced.cost, 0)",
                ),
            ] {
                limits.extend(limit.map(|limit| format!("COALESCE({sum} <= {}", values.add(limit))));
            }
            let (limits, since) = (limits.join(" AND "), values.add(quota.period.first_day(day)));
            let _ = match quota.assistant.as_deref().map(|assistant| values.add(assistant)) {
                None => write!(
                    allowed,
                    " AND (SELECT {limits} FROM usage_day WHERE user_id = {user} AND day >= {since})"
                ),
                Some(assistant) => write!(
                    allowed,
                    " AND (priced.assistant_id <> {assistant} OR (SELECT {limits} FROM usage_day
                        WHERE user_id = {user} AND day >= {since} AND assistant_id = {assistant}))"
                ),
            };
        }
        Expectation { priced, allowed, values: values.values }
    }
}

/// What is expected by the terms, as the columns of `terms` in statements.
#[derive(Serialize)]
pub(crate) struct ExpectedTerms {
    pub(crate) context: i64,
    pub(crate) input_price: Option<f64>,
    pub(crate) output_price: Option<f64>,
    pub(crate) reported: bool,
}

impl From<&Terms> for ExpectedTerms {
    fn from(terms: &Terms) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
        let each = |rate: Amount| rate.billionths() as f64 / 1e6;
        let rates = terms.price.as_ref().and_then(Price::rates);
        Self {
            context: i64::from(terms.context_tokens).min(MAX_TOKENS),
            input_price: rates.map(|rates| each(rates.input)),
            output_price: rates.map(|rates| each(rates.output)),
            reported: terms.price == Some(Price::Reported),
        }
    }
}

impl Serialize for Terms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ExpectedTerms::from(self).serialize(serializer)
    }
}

/// The values of a part of a statement, counted from a number on.
struct Values {
    values: Vec<Value>,
    first: usize,
}

impl Values {
    /// Adds a value, and returns how the statement names it.
    fn add(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.first + self.values.len() - 1)
    }
}
