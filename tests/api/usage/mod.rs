//! The ledger: what replies reserve, what they have used when they end, and what quotas allow.

mod absurd;
mod command;
mod crashes;
mod halfway;
mod limits;
mod periods;
mod races;
mod reported;
mod reports;
mod settling;

use causerie::assistant::{
    Assistant, Catalog, DEFAULT_ID, Delta, FinishReason, Profile, TitleAssistant, Usage,
};
use causerie::usage::{Calendar, Price, Quota};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::{Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer};

/// What a million tokens cost in these tests: one token of the prompt costs 1000 billionths, and one written 10,000.
fn price() -> Price {
    serde_json::from_value(json!({ "input": 1, "cached_input": 0.5, "output": 10 })).unwrap()
}

fn quota(json: Value) -> Quota {
    serde_json::from_value(json).unwrap()
}

/// One assistant with a price, and quotas.
fn catalog(writer: Arc<dyn Assistant>, price: Price, quotas: &[Value]) -> Catalog {
    let profile = Profile { price: Some(price), ..Profile::new(DEFAULT_ID, writer) };
    Catalog::of(profile).with_quotas(quotas.iter().cloned().map(quota).collect())
}

/// A server with these quotas, what tells its assistant what to say, and the calendar that it goes by.
async fn server(database: &TestDatabase, quotas: &[Value]) -> (TestServer, ScriptedAssistant, Calendar) {
    let (assistant, script) = ScriptedAssistant::new();
    let catalog = catalog(assistant, price(), quotas);
    let calendar = catalog.ledger().calendar.clone();
    let server = TestServer::with(database, Settings { catalog: Some(catalog), ..Settings::default() }).await;
    (server, script, calendar)
}

/// The same without quotas, with another model for titles.
async fn server_with_titles(database: &TestDatabase) -> (TestServer, ScriptedAssistant, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let (writer, titles) = ScriptedAssistant::new();
    let titles_by = TitleAssistant { assistant_id: DEFAULT_ID.to_owned(), writer };
    let catalog = catalog(assistant, price(), &[]).with_titles(Some(titles_by));
    let server = TestServer::with(database, Settings { catalog: Some(catalog), ..Settings::default() }).await;
    (server, script, titles)
}

fn used(input: u64, cached: u64, output: u64) -> Usage {
    Usage {
        input_tokens: Some(input),
        output_tokens: Some(output),
        cached_input_tokens: Some(cached),
        ..Usage::default()
    }
}

/// Says a word, and ends the reply with what was used.
fn finish(attempt: &ScriptedAttempt, usage: Usage) {
    attempt.say("Hello.");
    attempt.send(Ok(Delta::Usage(usage)));
    attempt.send(Ok(Delta::Finish(FinishReason::Stop)));
    attempt.close();
}

/// Sends a message without waiting for its reply.
async fn ask(client: &Client, content: &str, mut input: Value) -> Value {
    input["awaitReply"] = false.into();
    client.send(content, input).await
}

/// Waits until a reply has ended, and returns its usage.
async fn ended(client: &Client, sent: &Value) -> Value {
    const REPLY: &str = "query($id: ID!) { message(id: $id) {
      status failure { code } usage { inputTokens cachedInputTokens outputTokens estimated cost } } }";
    loop {
        let reply = client.data(REPLY, json!({ "id": sent["reply"]["id"] })).await["message"].take();
        if reply["status"] != "QUEUED" && reply["status"] != "GENERATING" {
            return reply;
        }
        tokio::task::yield_now().await;
    }
}

/// The entries in the order in which they were made, each as one line.
async fn entries(database: &TestDatabase) -> Vec<String> {
    let sql = "SELECT purpose || ' ' || CASE WHEN settled THEN 'settled ' ELSE 'open ' END
        || CASE WHEN estimated THEN 'estimated ' ELSE '' END || CAST(input AS TEXT) || '/' || CAST(cached_input AS TEXT)
        || '/' || CAST(output AS TEXT) || ' ' || COALESCE(CAST(cost AS TEXT), '?') || ' of '
        || CAST(reserved_tokens AS TEXT) || ' ' || COALESCE(CAST(reserved_cost AS TEXT), '?')
        FROM usage_entry ORDER BY reply_id, ordinal";
    lines(database, sql).await
}

/// The sums of the days, each as one line.
async fn days(database: &TestDatabase) -> Vec<String> {
    let sql = "SELECT CAST(replies AS TEXT) || ': ' || CAST(input AS TEXT) || '/' || CAST(cached_input AS TEXT) || '/'
        || CAST(output AS TEXT) || ' ' || CAST(cost AS TEXT) || ' reserved ' || CAST(reserved_replies AS TEXT) || ': '
        || CAST(reserved_tokens AS TEXT) || ' ' || CAST(reserved_cost AS TEXT)
        FROM usage_day ORDER BY user_id, day, assistant_id";
    lines(database, sql).await
}

/// Checks that the sums of the days are those of the entries.
pub async fn check_sums(database: &TestDatabase) {
    let open = "CASE WHEN settled THEN 0 ELSE 1 END";
    let done = "CASE WHEN settled THEN 1 ELSE 0 END";
    let reply = "CASE WHEN purpose = 'REPLY' THEN 1 ELSE 0 END";
    let sums = [
        format!("{reply} * {done}"),
        format!("input * {done}"),
        format!("cached_input * {done}"),
        format!("output * {done}"),
        format!("COALESCE(cost, 0) * {done}"),
        format!("{reply} * {open}"),
        format!("reserved_tokens * {open}"),
        format!("COALESCE(reserved_cost, 0) * {open}"),
    ];
    let sums: Vec<String> = sums.iter().map(|sum| format!("CAST(SUM({sum}) AS TEXT)")).collect();
    let of_entries = format!(
        "SELECT user_id || ' ' || CAST(day AS TEXT) || ' ' || assistant_id || ' ' || {} FROM usage_entry
        GROUP BY user_id, day, assistant_id ORDER BY 1",
        sums.join(" || ' ' || ")
    );
    let columns = [
        "replies",
        "input",
        "cached_input",
        "output",
        "cost",
        "reserved_replies",
        "reserved_tokens",
        "reserved_cost",
    ];
    let columns: Vec<String> = columns.iter().map(|column| format!("CAST({column} AS TEXT)")).collect();
    let of_days = format!(
        "SELECT user_id || ' ' || CAST(day AS TEXT) || ' ' || assistant_id || ' ' || {} FROM usage_day
        WHERE replies > 0 OR input > 0 OR reserved_tokens > 0 OR reserved_replies > 0 ORDER BY 1",
        columns.join(" || ' ' || ")
    );
    assert_eq!(lines(database, &of_days).await, lines(database, &of_entries).await);
}

/// The texts in the first column of `sql`.
async fn lines(database: &TestDatabase, sql: &str) -> Vec<String> {
    let connection = database.raw().await;
    let backend = if database.is_postgres() { DbBackend::Postgres } else { DbBackend::Sqlite };
    let rows = connection.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
    let lines = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    connection.close().await.unwrap();
    lines
}
