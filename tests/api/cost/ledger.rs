//! What the ledger and the quotas cost after a year: no more than after a day.

use std::collections::BTreeMap;
use std::time::Duration;

use causerie::assistant::{Catalog, Common};
use causerie::usage::{By, Query, Report};
use chrono::{Days, Utc};
use sea_orm::{DbBackend, Statement};
use serde_json::{Value, json};

use super::large::{buffers, steps};
use super::plans::plan;
use super::rows::Filler;
use crate::support::{Client, Settings, TestDatabase, TestServer, on_both_databases};

/// How many requests to models a user has made in a year.
const ENTRIES: u32 = 100_000;

/// Pages of PostgreSQL, and steps of SQLite's machine, that a statement may take: a month has up to 93 sums here.
const BUFFERS: u64 = 150;
const STEPS: u64 = 12_000;

/// The same for a year's sums, of which there are 1,095.
const YEAR_BUFFERS: u64 = 1_300;
const YEAR_STEPS: u64 = 60_000;

const FILE: &str = r#"
default = "fast"
[[assistant]]
id = "fast"
url = "echo"
price = { input = 1.0, output = 10.0 }
[[assistant]]
id = "slow"
url = "echo"
price = "reported"
[[assistant]]
id = "idle"
url = "echo"
echo_delay = "1h"
[[quota]]
period = "day"
replies = 1000000
[[quota]]
assistant = "slow"
period = "month"
tokens = 1000000000
cost = 1000.0
"#;

const QUOTAS: &str = "{ viewer { quotas { replies { used } tokens { used } cost { used } } } }";

async fn server(database: &TestDatabase) -> TestServer {
    let common = Common { timeout: Duration::from_mins(1), allow_plaintext: false, instructions_chars: 8000 };
    let catalog = Some(Catalog::parse(FILE, common).unwrap());
    TestServer::with(database, Settings { catalog, ..Settings::default() }).await
}

/// Reserves, settles and cancels in every way that there is.
async fn use_models(client: &Client) {
    let run = async |name: &str, kind: &str, input: Value| {
        let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ __typename }} }}");
        client.data(&query, json!({ "input": input })).await
    };
    let sent = client.send("hello", json!({ "assistantId": "slow" })).await;
    let conversation = &sent["conversation"]["id"];
    client.send("again", json!({ "conversationId": conversation })).await;
    run("editMessage", "EditMessageInput", json!({ "messageId": sent["message"]["id"], "content": "x" }))
        .await;
    run("regenerateReply", "RegenerateReplyInput", json!({ "messageId": sent["reply"]["id"] })).await;
    let failed = client.send("/fail", json!({})).await;
    run("retryReply", "RetryReplyInput", json!({ "messageId": failed["reply"]["id"] })).await;
    run("deleteMessage", "DeleteMessageInput", json!({ "messageId": sent["message"]["id"] })).await;
    let idle = json!({ "assistantId": "idle", "awaitReply": false });
    let running = client.send("hello", idle).await;
    let after = json!({ "conversationId": running["conversation"]["id"], "awaitReply": false });
    let queued = client.send("hello", after).await;
    run("stopReply", "StopReplyInput", json!({ "messageId": queued["reply"]["id"] })).await;
    run("deleteMessage", "DeleteMessageInput", json!({ "messageId": running["message"]["id"] })).await;
    client.data(QUOTAS, json!({})).await;
}

/// The statements about the ledger that were run, each once.
fn of_ledger(server: &TestServer) -> BTreeMap<String, Statement> {
    let statements = server.take_all_statements().into_iter();
    statements.filter(|it| it.sql.contains("usage_")).map(|it| (it.sql.clone(), it)).collect()
}

/// That no entry and no day is read but those that the key leads to.
async fn assert_finds_entries(filler: &Filler, statement: &Statement) {
    let plan = plan(filler, statement).await;
    let tables = ["Seq Scan on usage_", "SCAN usage_", "SCAN entry"];
    let reads_table = plan.iter().any(|line| tables.iter().any(|table| line.contains(table)));
    assert!(!reads_table, "{}\n{}", statement.sql, plan.join("\n"));
}

async fn cost(filler: &Filler, statement: &Statement) -> (u64, String) {
    match statement.db_backend {
        DbBackend::Postgres => buffers(filler, statement).await,
        _ => (steps(filler, statement).await, statement.sql.clone()),
    }
}

on_both_databases! {
    async fn no_statement_reads_more_after_a_year_than_after_a_day(database) {
        let server = server(&database).await;
        let filler = Filler::of(&database).await;
        let today = Utc::now().date_naive();
        let ann = server.user("ann");
        ann.data(QUOTAS, json!({})).await;
        filler.ledger("ann", ENTRIES, 365, today).await;
        for user in 0..100 {
            filler.ledger(&format!("user {user}"), 100, 30, today).await;
        }
        filler.analyze().await;
        server.take_all_statements();
        use_models(&ann).await;
        let is_postgres = database.is_postgres();
        let limit = if is_postgres { BUFFERS } else { STEPS };
        let statements = of_ledger(&server);
        assert!(statements.len() >= if is_postgres { 9 } else { 7 }, "{}", statements.len());
        for statement in statements.into_values() {
            assert_finds_entries(&filler, &statement).await;
            // One that makes a message cannot be run again.
            if !statement.sql.contains("INSERT INTO message") {
                let (cost, plan) = cost(&filler, &statement).await;
                assert!(cost <= limit, "{cost} > {limit}: {}\n{plan}", statement.sql);
            }
        }

        let since = today - Days::new(365);
        let year = format!("{{ viewer {{ usage(since: \"{since}\") {{ replies }} }} }}");
        let days = ann.data(&year, json!({})).await["viewer"]["usage"].as_array().unwrap().len();
        assert!(days >= 1095, "{days}");
        for statement in of_ledger(&server).into_values() {
            assert_finds_entries(&filler, &statement).await;
            let (cost, plan) = cost(&filler, &statement).await;
            let limit = if is_postgres { YEAR_BUFFERS } else { YEAR_STEPS };
            assert!(cost <= limit, "{cost} > {limit}: {}\n{plan}", statement.sql);
        }

        // The operator reads all entries of the users: as many as there are.
        let query = Query { since, until: today, user: Some("ann".to_owned()), by: By::Model };
        let report = Report::read(server.database(), &query).await.unwrap();
        assert!(report.lines.values().map(|sums| sums.requests).sum::<i128>() > i128::from(ENTRIES));
        let query = Query { user: None, by: By::User, ..query };
        assert!(Report::read(server.database(), &query).await.unwrap().lines.contains_key(&Some("ann".to_owned())));
    }
}
