//! Who has used what, for the operator.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use sea_orm::{FromQueryResult, Value};

use crate::database::{Database, models};
use crate::error::Error;

/// The entries of so many users are added up by one statement: with 100,000 each it takes about a second.
const USERS: i64 = 20;

/// The last of the next users after `$1`.
const PAGE: &str = "
SELECT MAX(user_id) AS user_id FROM (
    SELECT user_id FROM account WHERE user_id > $1 ORDER BY user_id LIMIT $2
) AS page";

const SUMS: &str = "
SELECT {key} AS name, COUNT(*) AS requests,
    CAST(SUM(CASE WHEN purpose = 'REPLY' THEN 1 ELSE 0 END) AS BIGINT) AS replies,
    CAST(SUM(input) AS BIGINT) AS input, CAST(SUM(cached_input) AS BIGINT) AS cached_input,
    CAST(SUM(output) AS BIGINT) AS output,
    CAST(SUM(CASE WHEN estimated THEN 1 ELSE 0 END) AS BIGINT) AS estimated,
    CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS cost
FROM usage_entry WHERE user_id > $1 AND user_id <= $2 AND settled AND day >= $3 AND day <= $4
GROUP BY {key}";

/// What is reported.
#[derive(Args, Clone, Debug)]
pub struct Query {
    /// The first day, in UTC, such as 2026-11-01.
    #[arg(long, value_name = "DAY")]
    pub since: NaiveDate,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    pub until: NaiveDate,
    /// The user whose usage is reported; without it that of all users.
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// What usage is added up by.
    #[arg(long, value_name = "WHAT", default_value = "user")]
    pub by: By,
}

/// What usage is added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// User by user.
    User,
    /// Assistant by assistant.
    Assistant,
    /// Model by model, as the providers report them.
    Model,
    /// Day by day, in UTC. A reply counts on the day on which it was asked for.
    Day,
}

impl By {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Model => "model",
            Self::Day => "day",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::User => "user_id",
            Self::Assistant => "assistant_id",
            Self::Model => "model",
            Self::Day => "CAST(day AS TEXT)",
        }
    }
}

/// What was used, in the order of the names.
#[derive(Debug)]
pub struct Report {
    /// What it was added up by.
    pub by: By,
    /// Each line with its name, which only a model may lack.
    pub lines: BTreeMap<Option<String>, Sums>,
}

/// What was used. Only requests that are settled count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests to models.
    pub requests: i128,
    /// Replies that users have asked for.
    pub replies: i128,
    /// Tokens of prompts, those from caches included.
    pub input: i128,
    /// Tokens of prompts from providers' caches.
    pub cached_input: i128,
    /// Tokens written.
    pub output: i128,
    /// Requests whose tokens are an estimate.
    pub estimated: i128,
    /// The cost, in billionths.
    pub cost: i128,
}

#[derive(FromQueryResult)]
struct Row {
    name: Option<String>,
    requests: i64,
    replies: i64,
    input: i64,
    cached_input: i64,
    output: i64,
    estimated: i64,
    cost: i64,
}

#[derive(FromQueryResult)]
struct Page {
    user_id: Option<String>,
}

impl Sums {
    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.replies += other.replies;
        self.input += other.input;
        self.cached_input += other.cached_input;
        self.output += other.output;
        self.estimated += other.estimated;
        self.cost += other.cost;
    }
}

impl From<&Row> for Sums {
    fn from(row: &Row) -> Self {
        Self {
            requests: row.requests.into(),
            replies: row.replies.into(),
            input: row.input.into(),
            cached_input: row.cached_input.into(),
            output: row.output.into(),
            estimated: row.estimated.into(),
            cost: row.cost.into(),
        }
    }
}

impl Report {
    /// Reads what `query` asks for, some users at a time.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database does not answer.
    pub async fn read(database: &Database, query: &Query) -> Result<Self, Error> {
        let mut report = Self { by: query.by, lines: BTreeMap::new() };
        if let Some(user) = &query.user {
            // All strings before it, and it.
            report.add(database, query, "", user, true).await?;
            return Ok(report);
        }
        let mut last = String::new();
        loop {
            let next = database.statement(PAGE, [last.as_str().into(), USERS.into()]);
            let next: Vec<Page> = models(&database.rows(next).await?)?;
            let Some(next) = next.into_iter().find_map(|page| page.user_id) else { return Ok(report) };
            report.add(database, query, &last, &next, false).await?;
            last = next;
        }
    }

    /// Adds what the users after `last` up to `next` have used, or `next` alone.
    async fn add(
        &mut self,
        database: &Database,
        query: &Query,
        last: &str,
        next: &str,
        alone: bool,
    ) -> Result<(), Error> {
        let mut sql = SUMS.replace("{key}", query.by.column());
        if alone {
            sql = sql.replace("user_id <= $2", "user_id = $2");
        }
        let values: [Value; 4] = [last.into(), next.into(), query.since.into(), query.until.into()];
        let rows: Vec<Row> = models(&database.rows(database.statement(sql, values)).await?)?;
        for row in &rows {
            self.lines.entry(row.name.clone()).or_default().add(row.into());
        }
        Ok(())
    }
}
