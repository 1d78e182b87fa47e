//! Reserving what a reply may use, in the transaction that makes it.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};
use uuid::Uuid;

use super::expectation::{ExpectedTerms, REPLY_TOKENS};
use super::ledger::{MAX_TOKENS, Terms};
use super::{Expectation, Ledger};
use crate::database::Write;
use crate::error::Error;

/// A reply that is asked for, as the ledger sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Who asks.
    pub(crate) user: &'a str,
    /// The user's plan.
    pub(crate) plan: &'a str,
    /// Who is to write the reply.
    pub(crate) assistant: &'a str,
    /// The message after which the new text comes: what its reply has taken in and written is expected again.
    pub(crate) after: Option<Uuid>,
    /// How many tokens the new text has by estimate.
    pub(crate) text_tokens: u32,
    /// How many tokens the reply may have, if that was said.
    pub(crate) reply_tokens: Option<i32>,
}

/// The message after which the new text comes, and the bytes of what leads there if it does not say how many tokens those
/// are: of the last 256 messages at most, and
/// one for each eight tokens that may be shown.
const BASIS: &str = "
WITH RECURSIVE terms (assistant_id, context, reply, input_price, output_price, reported) AS (
    VALUES (CAST($4 AS TEXT), CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS DOUBLE PRECISION),
        CAST($9 AS DOUBLE PRECISION), $10)
), chain (parent_id, usage, bytes, length) AS (
    SELECT parent_id, usage, CAST(octet_length(content) AS BIGINT), 1 FROM message WHERE user_id = $1 AND id = $3
    UNION ALL
    SELECT above.parent_id, NULL, chain.bytes + octet_length(above.content), chain.length + 1
    FROM chain JOIN message AS above ON above.user_id = $1 AND above.id = chain.parent_id
    WHERE chain.length < 256 AND chain.length < $6 / 8 AND NOT EXISTS (
        SELECT 1 FROM message WHERE user_id = $1 AND id = $3 AND usage ->> 'input_tokens' IS NOT NULL
    )
), basis AS (
    SELECT (SELECT usage FROM chain WHERE length = 1) AS usage, COALESCE(MAX(bytes), 0) AS bytes FROM chain
), ";

const RESERVE: &str = "
INSERT INTO usage_entry (
    user_id, reply_id, ordinal, purpose, assistant_id, day, settled, input, reserved_tokens, reserved_cost
)
SELECT $1, $2, (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM usage_entry WHERE user_id = $1 AND reply_id = $2),
    'REPLY', assistant_id, $5, FALSE, input, tokens, cost
FROM priced WHERE ";

/// What is expected of a request that no quota needs to allow.
const EXPECTED: &str = "
SELECT tokens AS reserved_tokens, cost AS reserved_cost FROM priced WHERE $2 IS NOT NULL OR $5 IS NOT NULL OR ";

const COUNT: &str = "
INSERT INTO usage_day (user_id, day, assistant_id, reserved_replies, reserved_tokens, reserved_cost)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (user_id, day, assistant_id) DO UPDATE SET
    reserved_replies = usage_day.reserved_replies + excluded.reserved_replies,
    reserved_tokens = usage_day.reserved_tokens + excluded.reserved_tokens,
    reserved_cost = usage_day.reserved_cost + excluded.reserved_cost";

/// The next request for a reply, after one that was lost.
const REPEAT: &str = "
INSERT INTO usage_entry (
    user_id, reply_id, ordinal, purpose, assistant_id, day, settled, input, reserved_tokens, reserved_cost
)
SELECT user_id, reply_id, (SELECT MAX(ordinal) + 1 FROM usage_entry WHERE user_id = $1 AND reply_id = $2),
    'RESTART', assistant_id, day, FALSE, input, reserved_tokens, reserved_cost
FROM usage_entry WHERE user_id = $1 AND reply_id = $2 AND purpose <> 'TITLE' ORDER BY ordinal DESC LIMIT 1
RETURNING assistant_id, day, reserved_tokens, reserved_cost";

/// [`RESERVE`] and [`COUNT`] as parts of the statement that sends messages, on PostgreSQL. They want a common table
/// expression `made` of the replies, and the day as `$4`.
pub(crate) const RESERVED: &str = "reserved AS (
    INSERT INTO usage_entry (
        user_id, reply_id, ordinal, purpose, assistant_id, day, settled, input, reserved_tokens, reserved_cost
    )
    SELECT user_id, reply_id, 1, 'REPLY', assistant_id, $4, FALSE, input, reserved_tokens, reserved_cost FROM made
), counted AS (
    INSERT INTO usage_day (user_id, day, assistant_id, reserved_replies, reserved_tokens, reserved_cost)
    SELECT user_id, $4, assistant_id, 1, reserved_tokens, COALESCE(reserved_cost, 0) FROM made
    ON CONFLICT (user_id, day, assistant_id) DO UPDATE SET
        reserved_replies = usage_day.reserved_replies + excluded.reserved_replies,
        reserved_tokens = usage_day.reserved_tokens + excluded.reserved_tokens,
        reserved_cost = usage_day.reserved_cost + excluded.reserved_cost
)";

#[derive(FromQueryResult)]
pub(super) struct Expected {
    #[sea_orm(from_alias = "reserved_tokens")]
    pub(super) tokens: i64,
    #[sea_orm(from_alias = "reserved_cost")]
    pub(super) cost: Option<i64>,
}

#[derive(FromQueryResult)]
struct Repeated {
    assistant_id: String,
    day: NaiveDate,
    reserved_tokens: i64,
    reserved_cost: Option<i64>,
}

impl Ledger {
    /// Reserves what the reply `id` may use.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`] if a quota does not allow it; nothing is written then.
    pub(crate) async fn reserve(&self, write: &Write, asked: Asked<'_>, id: Uuid) -> Result<(), Error> {
        let day = self.calendar.day(write.now);
        let unknown = Terms::default();
        let terms = self.terms(asked.assistant).unwrap_or(&unknown);
        let reply = asked.reply_tokens.map_or(REPLY_TOKENS, i64::from).clamp(0, MAX_TOKENS);
        let terms = ExpectedTerms::from(terms);
        let key: [Value; 11] = [
            asked.user.into(),
            id.into(),
            asked.after.into(),
            asked.assistant.into(),
            day.into(),
            terms.context.into(),
            reply.into(),
            terms.input_price.into(),
            terms.output_price.into(),
            terms.reported.into(),
            i64::from(asked.text_tokens).into(),
        ];
        let Expectation { priced, allowed, values } =
            self.expectation(asked.plan, ["$1", "$11"], day, key.len() + 1);
        let values = || key.iter().chain(&values).cloned();
        let reserve = format!("{BASIS}{priced}{RESERVE}{allowed} RETURNING reserved_tokens, reserved_cost");
        let Some(reserved) = write.first::<Expected>(reserve, values()).await? else {
            let expected = write.only(format!("{BASIS}{priced}{EXPECTED}({allowed})"), values()).await?;
            return Err(self.refusal(write, asked, &expected, day).await?);
        };
        let sums = [1, reserved.tokens, reserved.cost.unwrap_or(0)];
        count(write, asked.user, day, asked.assistant, sums).await
    }

    /// Reserves for the next attempt at a reply what was reserved for the one before, which was lost.
    pub(crate) async fn reserve_again(&self, write: &Write, user: &str, id: Uuid) -> Result<(), Error> {
        let Some(again) = write.first::<Repeated>(REPEAT, [user.into(), id.into()]).await? else {
            return Ok(());
        };
        let sums = [0, again.reserved_tokens, again.reserved_cost.unwrap_or(0)];
        count(write, user, again.day, &again.assistant_id, sums).await
    }
}

/// Adds to what is reserved on a day: replies, tokens and cost.
async fn count(
    write: &Write,
    user: &str,
    day: NaiveDate,
    assistant: &str,
    [replies, tokens, cost]: [i64; 3],
) -> Result<(), Error> {
    let values = [user.into(), day.into(), assistant.into(), replies.into(), tokens.into(), cost.into()];
    let count = Statement::from_sql_and_values(write.get_database_backend(), COUNT, values);
    write.run_later(count).await?;
    Ok(())
}
