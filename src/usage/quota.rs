//! How much the users of a plan may use.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Amount;

/// How much one user may use in a period. All quotas that fit a request must allow it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The plan whose users it is for; all of them without one.
    pub plan: Option<String>,
    /// The assistant whose replies count; those of all without one.
    pub assistant: Option<String>,
    /// When counting begins anew.
    pub period: Period,
    /// The most replies.
    #[serde(default, deserialize_with = "count")]
    pub replies: Option<i64>,
    /// The most tokens, those of prompts and of replies together.
    #[serde(default, deserialize_with = "count")]
    pub tokens: Option<i64>,
    /// The most that it may cost.
    pub cost: Option<Amount>,
}

/// A period of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first day of a month to that of the next one.
    Month,
}

/// What a quota limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Replies.
    Replies,
    /// Tokens.
    Tokens,
    /// Money.
    Cost,
}

impl Quota {
    /// Checks what no key shows by itself.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if self.replies.is_none() && self.tokens.is_none() && self.cost.is_none() {
            return Err("a quota needs a limit: `replies`, `tokens` or `cost`".to_owned());
        }
        Ok(())
    }

    /// Whether it is for users of `plan`.
    #[must_use]
    pub fn is_for(&self, plan: &str) -> bool {
        self.plan.as_deref().is_none_or(|of| of == plan)
    }

    /// Whether replies of `assistant` count.
    #[must_use]
    pub fn counts(&self, assistant: &str) -> bool {
        self.assistant.as_deref().is_none_or(|of| of == assistant)
    }
}

impl Period {
    /// The first day of the period that `day` is in.
    #[must_use]
    pub fn first_day(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Month => day.with_day(1).unwrap_or(day),
        }
    }

    /// The first day after the period that `day` is in.
    #[must_use]
    pub fn next(self, day: NaiveDate) -> NaiveDate {
        let first = self.first_day(day);
        let next = match self {
            Self::Day => first.checked_add_days(Days::new(1)),
            Self::Month => first.checked_add_months(Months::new(1)),
        };
        next.unwrap_or(NaiveDate::MAX)
    }

    /// Its name in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Month => "MONTH",
        }
    }
}

impl Measure {
    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replies => "REPLIES",
            Self::Tokens => "TOKENS",
            Self::Cost => "COST",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Replies => "replies",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
        })
    }
}

/// A number that is not negative.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    if number < 0 {
        return Err(D::Error::custom(format!("a limit must not be negative, and {number} is")));
    }
    Ok(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_those_of_the_calendar() {
        for (period, inside, first, next) in [
            (Period::Day, "2026-11-22", "2026-11-22", "2026-11-23"),
            (Period::Day, "2026-12-31", "2026-12-31", "2027-01-01"),
            (Period::Month, "2026-11-22", "2026-11-01", "2026-12-01"),
            (Period::Month, "2028-02-29", "2028-02-01", "2028-03-01"),
            (Period::Month, "2026-12-01", "2026-12-01", "2027-01-01"),
        ] {
            assert_eq!((period.first_day(day(inside)), period.next(day(inside))), (day(first), day(next)));
        }
    }

    #[test]
    fn a_quota_has_limits_that_are_not_negative() {
        let quota = |json: &str| serde_json::from_str::<Quota>(json);
        let read =
            quota(r#"{ "plan": "free", "assistant": "fast", "period": "day", "replies": 50 }"#).unwrap();
        assert_eq!((read.period, read.replies, read.tokens), (Period::Day, Some(50), None));
        assert!(read.check().is_ok() && read.is_for("free") && !read.is_for("pro") && !read.counts("slow"));
        assert!(quota(r#"{ "period": "month" }"#).unwrap().check().is_err());
        for wrong in [
            r#"{ "period": "week", "replies": 1 }"#,
            r#"{ "period": "day", "replies": -1 }"#,
            r#"{ "period": "day", "cost": -1 }"#,
            r#"{ "period": "day", "tokens": 1, "words": 1 }"#,
            r#"{ "replies": 1 }"#,
        ] {
            assert!(quota(wrong).is_err(), "{wrong}");
        }
    }
}
