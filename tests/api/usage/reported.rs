//! Prices that the provider reports with each reply.

use causerie::assistant::Usage;
use causerie::usage::Price;
use serde_json::{Value, json};

use super::{ask, catalog, check_sums, ended, entries, finish, used};
use crate::support::{ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases};

/// A server whose provider reports what each reply costs.
async fn server(database: &TestDatabase, quotas: &[Value]) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let catalog = Some(catalog(assistant, Price::Reported, quotas));
    (TestServer::with(database, Settings { catalog, ..Settings::default() }).await, script)
}

/// So many tokens, and what they have cost.
fn costing(input: u64, output: u64, cost: i64) -> Usage {
    Usage { cost: Some(cost), ..used(input, 0, output) }
}

const STOP: &str = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";

on_both_databases! {
    async fn what_tokens_have_cost_this_month_is_reserved_for_each_of_the_next(database) {
        let (server, script) = server(&database, &[]).await;
        let ann = server.user("ann");
        let first = ask(&ann, "sixteen letters!", json!({})).await;
        assert_eq!(entries(&database).await, ["REPLY open 9/0/0 ? of 1033 0"], "nothing is known");
        finish(&script.next().await, costing(90, 10, 1_000_000));
        assert_eq!(ended(&ann, &first).await["usage"]["cost"], "0.001");
        assert_eq!(entries(&database).await, ["REPLY settled 90/0/10 1000000 of 1033 0"]);

        // A token has cost 10,000 billionths.
        let second = ask(&ann, "sixteen letters!", json!({})).await;
        assert_eq!(entries(&database).await[1], "REPLY open 9/0/0 ? of 1033 10330000");
        finish(&script.next().await, costing(90, 10, 3_000_000));
        ended(&ann, &second).await;
        // And 20,000 on the average of both.
        ask(&ann, "more", json!({ "conversationId": second["conversation"]["id"] })).await;
        assert_eq!(entries(&database).await[2], "REPLY open 105/0/0 ? of 1129 22580000");
        // What ann has paid says nothing of bob.
        ask(&server.user("bob"), "sixteen letters!", json!({})).await;
        assert_eq!(entries(&database).await[3], "REPLY open 9/0/0 ? of 1033 0");
        check_sums(&database).await;
    }

    async fn in_a_month_in_which_nothing_is_known_the_last_reply_says_what_a_token_costs(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let catalog = catalog(assistant, Price::Reported, &[]);
        let calendar = catalog.ledger().calendar.clone();
        let server = TestServer::with(&database, Settings { catalog: Some(catalog), ..Settings::default() }).await;
        let ann = server.user("ann");
        calendar.shift(chrono::Utc::now(), "2027-05-31T12:00:00Z".parse().unwrap());
        let first = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, costing(90, 10, 1_000_000));
        ended(&ann, &first).await;
        calendar.shift(chrono::Utc::now(), "2027-06-01T12:00:00Z".parse().unwrap());
        ask(&ann, "sixteen letters!", json!({})).await;
        assert_eq!(entries(&database).await[1], "REPLY open 9/0/0 ? of 1033 0", "another conversation");
        ask(&ann, "more", json!({ "conversationId": first["conversation"]["id"] })).await;
        assert_eq!(entries(&database).await[2], "REPLY open 105/0/0 ? of 1129 11290000");
    }

    async fn a_reply_whose_cost_nobody_reports_costs_what_its_tokens_were_reserved_for(database) {
        let (server, script) = server(&database, &[]).await;
        let ann = server.user("ann");
        let first = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, costing(90, 10, 1_000_000));
        ended(&ann, &first).await;
        let stopped = ask(&ann, "sixteen letters!", json!({})).await;
        let attempt = script.next().await;
        attempt.say("word word word word ");
        while ann.messages(stopped["conversation"]["id"].as_str().unwrap()).await[1]["content"] == "" {
            tokio::task::yield_now().await;
        }
        ann.data(STOP, json!({ "id": stopped["reply"]["id"] })).await;
        assert_eq!(ended(&ann, &stopped).await["usage"]["cost"], Value::Null, "nobody has told");
        assert_eq!(entries(&database).await[1], "REPLY settled estimated 9/0/5 140000 of 1033 10330000");

        // Nor is one believed that cannot be.
        for absurd in [-1, i64::MAX] {
            let sent = ask(&ann, "sixteen letters!", json!({})).await;
            finish(&script.next().await, costing(90, 10, absurd));
            assert_eq!(ended(&ann, &sent).await["usage"]["cost"], Value::Null);
        }
        let entries = entries(&database).await;
        for line in &entries[2..] {
            assert!(line.starts_with("REPLY settled 90/0/10 10"), "{entries:?}");
        }
        check_sums(&database).await;
    }

    async fn a_quota_of_cost_holds_where_the_provider_tells_the_cost(database) {
        let (server, script) = server(&database, &[json!({ "period": "month", "cost": 0.02 })]).await;
        let ann = server.user("ann");
        let first = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, costing(90, 10, 1_000_000));
        ended(&ann, &first).await;
        // 0.001 is used, and 0.01033 is reserved for each.
        ask(&ann, "sixteen letters!", json!({})).await;
        let answer = ann.try_send("sixteen letters!", json!({ "awaitReply": false })).await;
        assert_eq!(answer.code(), "QUOTA_EXCEEDED", "{}", answer.body);
        assert_eq!(answer.body["errors"][0]["extensions"]["used"], "0.01133");
        check_sums(&database).await;
    }
}
