//! Settling what a request has used, in the transaction that ends it.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};
use serde::Serialize;
use uuid::Uuid;

use super::{Ledger, Tokens};
use crate::database::{Write, models};
use crate::entity::message::Usage;
use crate::error::Error;

/// How many bytes of text a token has by estimate, where the text is not at hand.
const BYTES_PER_TOKEN: i64 = 4;

/// Settles the open entry of a reply, if it has one. Where the cost is not known, each token costs what was reserved for
/// it, unless that is more than a million units of the currency.
const SETTLE: &str = "
UPDATE usage_entry
SET settled = TRUE, model = $3, input = $4, cached_input = $5, output = $6, estimated = $7,
    cost = COALESCE($8, CASE
        WHEN CAST(reserved_cost AS DOUBLE PRECISION) * ($4 + $6) < 1e15 * reserved_tokens
        THEN CAST(ROUND(CAST(reserved_cost AS DOUBLE PRECISION) * ($4 + $6) / reserved_tokens) AS BIGINT)
        ELSE reserved_cost END)
WHERE user_id = $1 AND reply_id = $2 AND NOT settled
RETURNING assistant_id, day, purpose, cost, reserved_tokens, reserved_cost";

const COUNT: &str = "
UPDATE usage_day
SET replies = replies + $4, input = input + $5, cached_input = cached_input + $6, output = output + $7, cost = cost + $8,
    reserved_replies = reserved_replies - $9, reserved_tokens = reserved_tokens - $10,
    reserved_cost = reserved_cost - $11
WHERE user_id = $1 AND day = $2 AND assistant_id = $3";

/// [`SETTLE`] and [`COUNT`] as parts of the statement that ends replies, on PostgreSQL. They want two common table
/// expressions: `closed`, of whose replies are ended, and `seen`, with their `id`, the `model` and what was [`Used`].
pub(crate) const SETTLED: &str = "settled AS (
    UPDATE usage_entry
    SET settled = TRUE, model = seen.model, input = seen.input, cached_input = seen.cached_input, output = seen.output,
        estimated = seen.estimated, cost = COALESCE(seen.cost, CASE
            WHEN CAST(reserved_cost AS DOUBLE PRECISION) * (seen.input + seen.output) < 1e15 * reserved_tokens
            THEN CAST(ROUND(
                CAST(reserved_cost AS DOUBLE PRECISION) * (seen.input + seen.output) / reserved_tokens
            ) AS BIGINT)
            ELSE reserved_cost END)
    FROM closed JOIN seen USING (user_id)
    WHERE usage_entry.user_id = seen.user_id AND usage_entry.reply_id = seen.id AND NOT usage_entry.settled
    RETURNING usage_entry.*
), counted AS (
    UPDATE usage_day
    SET replies = usage_day.replies + CAST(settled.purpose = 'REPLY' AS INTEGER),
        input = usage_day.input + settled.input, cached_input = usage_day.cached_input + settled.cached_input,
        output = usage_day.output + settled.output, cost = usage_day.cost + COALESCE(settled.cost, 0),
        reserved_replies = usage_day.reserved_replies - CAST(settled.purpose = 'REPLY' AS INTEGER),
        reserved_tokens = usage_day.reserved_tokens - settled.reserved_tokens,
        reserved_cost = usage_day.reserved_cost - COALESCE(settled.reserved_cost, 0)
    FROM settled
    WHERE usage_day.user_id = settled.user_id AND usage_day.day = settled.day
        AND usage_day.assistant_id = settled.assistant_id
)";

/// The requests that are being made for running replies of a user.
const UNDER_WAY: &str = "
SELECT entry.reply_id, entry.assistant_id, entry.input, message.model,
    CAST(octet_length(message.content) + octet_length(message.reasoning) AS BIGINT) AS bytes
FROM usage_entry AS entry JOIN message ON message.user_id = entry.user_id AND message.id = entry.reply_id
WHERE entry.user_id = $1 AND entry.reply_id IN ({ids}) AND NOT entry.settled AND message.status = 'GENERATING'";

const CANCEL: &str = "
DELETE FROM usage_entry WHERE user_id = $1 AND reply_id IN ({ids}) AND NOT settled
RETURNING assistant_id, day, purpose, cost, reserved_tokens, reserved_cost";

const RECORD: &str = "
INSERT INTO usage_entry (
    user_id, reply_id, ordinal, purpose, assistant_id, model, day, settled, input, cached_input, output, estimated, cost,
    reserved_tokens
)
SELECT $1, $2, (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM usage_entry WHERE user_id = $1 AND reply_id = $2), 'TITLE',
    $3, $4, $5, TRUE, $6, $7, $8, $9, $10, 0";

const COUNT_RECORDED: &str = "
INSERT INTO usage_day (user_id, day, assistant_id, input, cached_input, output, cost)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id, day, assistant_id) DO UPDATE SET
    input = usage_day.input + excluded.input, cached_input = usage_day.cached_input + excluded.cached_input,
    output = usage_day.output + excluded.output, cost = usage_day.cost + excluded.cost";

/// A request whose end its server cannot tell.
#[derive(Debug, FromQueryResult)]
pub(crate) struct UnderWay {
    /// The reply.
    pub(crate) reply_id: Uuid,
    /// Who writes it.
    pub(crate) assistant_id: String,
    /// How many tokens the prompt has by estimate.
    pub(crate) input: i64,
    /// The model, if it was stored.
    pub(crate) model: Option<String>,
    /// How many bytes of text and reasoning were stored.
    pub(crate) bytes: i64,
}

/// What an entry has reserved, and what it costs now.
#[derive(FromQueryResult)]
struct Entry {
    assistant_id: String,
    day: NaiveDate,
    purpose: String,
    cost: Option<i64>,
    reserved_tokens: i64,
    reserved_cost: Option<i64>,
}

impl Entry {
    /// Takes what is reserved off the day, and adds `used` to it if something was.
    async fn count(&self, write: &Write, user: &str, used: Option<Tokens>) -> Result<(), Error> {
        let replies = i64::from(self.purpose == "REPLY");
        let tokens = used.unwrap_or_default();
        let (replies_used, cost) = if used.is_some() { (replies, self.cost.unwrap_or(0)) } else { (0, 0) };
        let key: [Value; 3] = [user.into(), self.day.into(), self.assistant_id.as_str().into()];
        let sums = [replies_used, tokens.input, tokens.cached_input, tokens.output, cost];
        let reserved = [replies, self.reserved_tokens, self.reserved_cost.unwrap_or(0)];
        let values = key.into_iter().chain(sums.into_iter().chain(reserved).map(Value::from));
        let count = Statement::from_sql_and_values(write.get_database_backend(), COUNT, values);
        write.run_later(count).await?;
        Ok(())
    }
}

/// What was used, as statements are given it: numbers of tokens, whether they are an estimate, and the cost.
#[derive(Serialize)]
pub(crate) struct Used {
    input: i64,
    cached_input: i64,
    output: i64,
    estimated: bool,
    cost: Option<i64>,
}

impl Used {
    pub(crate) fn of(usage: &Usage) -> Self {
        let Tokens { input, cached_input, output } = Tokens::of(usage);
        Self { input, cached_input, output, estimated: usage.estimated, cost: usage.cost }
    }

    fn values(self) -> [Value; 5] {
        let Self { input, cached_input, output, estimated, cost } = self;
        [input.into(), cached_input.into(), output.into(), estimated.into(), cost.into()]
    }
}

/// Settles the request for a reply with what it has used.
pub(crate) async fn settle(
    write: &Write,
    user: &str,
    reply: Uuid,
    model: Option<&str>,
    usage: &Usage,
) -> Result<(), Error> {
    let key: [Value; 3] = [user.into(), reply.into(), model.map(str::to_owned).into()];
    match write.first::<Entry>(SETTLE, key.into_iter().chain(Used::of(usage).values())).await? {
        Some(entry) => entry.count(write, user, Some(Tokens::of(usage))).await,
        None => Ok(()),
    }
}

/// Takes back what is reserved for `replies` that will not be begun, or whose provider has refused the request.
pub(crate) async fn cancel(write: &Write, user: &str, replies: &[Uuid]) -> Result<(), Error> {
    if replies.is_empty() {
        return Ok(());
    }
    let statement = of_replies(write, CANCEL, user, replies);
    for entry in models::<Entry>(&write.query_all_raw(statement).await?)? {
        entry.count(write, user, None).await?;
    }
    Ok(())
}

/// The requests under way for those of `replies` that are running.
pub(crate) async fn under_way(write: &Write, user: &str, replies: &[Uuid]) -> Result<Vec<UnderWay>, Error> {
    if replies.is_empty() {
        return Ok(Vec::new());
    }
    Ok(models(&write.query_all_raw(of_replies(write, UNDER_WAY, user, replies)).await?)?)
}

/// The statement that reads the requests under way for `count` replies. Its values are the user and the replies.
pub(crate) fn under_way_sql(count: usize) -> String {
    with_ids(UNDER_WAY, count)
}

fn with_ids(sql: &str, count: usize) -> String {
    let places: Vec<String> = (2..count + 2).map(|place| format!("${place}")).collect();
    sql.replace("{ids}", &places.join(", "))
}

fn of_replies(write: &Write, sql: &str, user: &str, replies: &[Uuid]) -> Statement {
    let values = std::iter::once(Value::from(user)).chain(replies.iter().map(|id| Value::from(*id)));
    Statement::from_sql_and_values(write.get_database_backend(), with_ids(sql, replies.len()), values)
}

impl Ledger {
    /// What a request has used by estimate whose end nobody can tell.
    pub(crate) fn lost(&self, request: &UnderWay) -> Usage {
        let output = (request.bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
        let estimate = || Tokens { input: request.input, cached_input: 0, output };
        self.usage(&request.assistant_id, None, estimate)
    }

    /// Settles a request whose end nobody can tell.
    pub(crate) async fn settle_lost(
        &self,
        write: &Write,
        user: &str,
        request: &UnderWay,
    ) -> Result<(), Error> {
        settle(write, user, request.reply_id, request.model.as_deref(), &self.lost(request)).await
    }

    /// Adds a request for a title, which was not reserved, to the entries of the reply after which it was made.
    pub(crate) async fn record_title(
        &self,
        write: &Write,
        user: &str,
        reply: Uuid,
        title: &TitleUsage,
    ) -> Result<(), Error> {
        let TitleUsage { assistant, model, usage } = title;
        let day = self.calendar.day(write.now);
        let key: [Value; 5] =
            [user.into(), reply.into(), assistant.as_str().into(), model.clone().into(), day.into()];
        write.run(RECORD, key.into_iter().chain(Used::of(usage).values())).await?;
        let Tokens { input, cached_input, output } = Tokens::of(usage);
        let key: [Value; 3] = [user.into(), day.into(), assistant.as_str().into()];
        let sums = [input, cached_input, output, usage.cost.unwrap_or(0)];
        write.run(COUNT_RECORDED, key.into_iter().chain(sums.map(Value::from))).await?;
        Ok(())
    }
}

/// What a request for a title has used.
#[derive(Clone, Debug)]
pub(crate) struct TitleUsage {
    /// Who was asked.
    pub(crate) assistant: String,
    /// The model that answered, if it said so.
    pub(crate) model: Option<String>,
    /// What was used.
    pub(crate) usage: Usage,
}
