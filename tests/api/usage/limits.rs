//! What a quota refuses, and how.

use causerie::assistant::{Catalog, DEFAULT_ID, Profile};
use serde_json::{Value, json};

use super::{ask, check_sums, ended, finish, quota, server, used};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

const ROWS: &str = "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM receipt)
    + (SELECT count(*) FROM conversation) + (SELECT count(*) FROM usage_entry)";

const QUOTAS: &str = "{ viewer { quotas { period resetsAt assistantId assistant { name }
    replies { limit used reserved } tokens { limit used reserved } cost { limit used reserved } } } }";

async fn refused(client: &Client, input: Value) -> Value {
    let mut input = input;
    input["awaitReply"] = false.into();
    let answer = client.try_send("sixteen letters!", input).await;
    assert_eq!(answer.code(), "QUOTA_EXCEEDED", "{}", answer.body);
    answer.body["errors"][0]["extensions"].clone()
}

on_both_databases! {
    async fn the_last_reply_of_the_day_is_the_last_by_every_mutation(database) {
        let daily = json!({ "plan": "default", "period": "day", "replies": 2 });
        let other = json!({ "plan": "pro", "period": "day", "replies": 0 });
        let (server, script, _) = server(&database, &[other, daily]).await;
        let ann = server.user("ann");
        let first = ask(&ann, "one", json!({})).await;
        finish(&script.next().await, used(10, 0, 1));
        ended(&ann, &first).await;
        let second = ask(&ann, "two", json!({})).await;
        let attempt = script.next().await;
        let standing = ann.data(QUOTAS, json!({})).await["viewer"]["quotas"].take();
        assert_eq!(standing.as_array().unwrap().len(), 1, "another plan's is not shown");
        assert_eq!(standing[0]["replies"], json!({ "limit": 2, "used": 1, "reserved": 1 }));
        assert_eq!((&standing[0]["tokens"], &standing[0]["cost"]), (&Value::Null, &Value::Null));

        let rows = database.number(ROWS).await;
        let told = refused(&ann, json!({ "idempotencyKey": "key" })).await;
        assert_eq!(told["resetsAt"], standing[0]["resetsAt"]);
        assert_eq!(
            told,
            json!({ "code": "QUOTA_EXCEEDED", "period": "DAY", "assistant": null, "measure": "REPLIES", "limit": 2,
                "used": 2, "resetsAt": told["resetsAt"], "retryAfter": told["retryAfter"] })
        );
        refused(&ann, json!({ "conversationId": first["conversation"]["id"], "idempotencyKey": "other" })).await;
        for (mutation, id) in [
            ("editMessage(input: { messageId: $id, content: \"x\", awaitReply: false })", &first["message"]["id"]),
            ("regenerateReply(input: { messageId: $id, awaitReply: false })", &first["reply"]["id"]),
        ] {
            let query = format!("mutation($id: ID!) {{ {mutation} {{ reply {{ id }} }} }}");
            assert_eq!(ann.code(&query, json!({ "id": id })).await, "QUOTA_EXCEEDED", "{mutation}");
        }
        let body = json!({ "message": "question" });
        let response = ann.post("/api/ann/chat").json(&body).send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 86_400);
        let told: Value = response.json().await.unwrap();
        assert_eq!(told["errors"][0]["extensions"]["limit"], 2);
        assert_eq!(told["errors"][0]["extensions"]["period"], "DAY");
        assert_eq!(database.number(ROWS).await, rows, "nothing was stored");

        // Stopped, it has been begun: it counts, and cannot be tried again.
        let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";
        ann.data(stop, json!({ "id": second["reply"]["id"] })).await;
        attempt.dropped().await;
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
        assert_eq!(ann.code(retry, json!({ "id": second["reply"]["id"] })).await, "QUOTA_EXCEEDED");

        // Another user has the same to use, and a key that was refused is free.
        ask(&server.user("bob"), "one", json!({ "idempotencyKey": "key" })).await;
        check_sums(&database).await;
    }

    async fn tokens_and_cost_are_reserved_before_they_are_used(database) {
        let tokens = json!({ "period": "day", "tokens": 2500 });
        let cost = json!({ "period": "month", "cost": 0.03 });
        let (server, script, _) = server(&database, &[tokens, cost]).await;
        let ann = server.user("ann");
        // 1033 tokens, and 0.010249, are reserved for each.
        let first = ask(&ann, "sixteen letters!", json!({})).await;
        let attempt = script.next().await;
        let second = ask(&ann, "sixteen letters!", json!({})).await;
        let another = script.next().await;
        let told = refused(&ann, json!({})).await;
        assert_eq!((&told["measure"], &told["limit"], &told["used"]), (&json!("TOKENS"), &json!(2500), &json!(2066)));

        // Less was used than reserved: there is room again.
        finish(&attempt, used(9, 0, 1));
        ended(&ann, &first).await;
        let third = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&another, used(9, 0, 500));
        finish(&script.next().await, used(9, 0, 1000));
        ended(&ann, &second).await;
        ended(&ann, &third).await;
        let standing = ann.data(QUOTAS, json!({})).await["viewer"]["quotas"].take();
        assert_eq!(standing[0]["tokens"], json!({ "limit": 2500, "used": 1528, "reserved": 0 }));
        assert_eq!(standing[1]["cost"], json!({ "limit": "0.03", "used": "0.015037", "reserved": "0" }));
        refused(&ann, json!({})).await;
        check_sums(&database).await;
    }

    async fn a_cost_is_told_as_text(database) {
        let (server, script, _) = server(&database, &[json!({ "period": "month", "cost": 0.0105 })]).await;
        let ann = server.user("ann");
        let first = ask(&ann, "sixteen letters!", json!({})).await;
        finish(&script.next().await, used(9, 0, 30));
        ended(&ann, &first).await;
        let told = refused(&ann, json!({})).await;
        assert_eq!((&told["period"], &told["measure"]), (&json!("MONTH"), &json!("COST")));
        assert_eq!((&told["limit"], &told["used"]), (&json!("0.0105"), &json!("0.000309")));
    }

    async fn a_quota_of_one_assistant_leaves_the_others_alone(database) {
        let (writer, script) = ScriptedAssistant::new();
        let of_other = quota(json!({ "assistant": "slow", "period": "day", "replies": 0 }));
        let of_this = quota(json!({ "assistant": DEFAULT_ID, "period": "day", "replies": 1 }));
        let catalog = Catalog::of(Profile::new(DEFAULT_ID, writer)).with_quotas(vec![of_other, of_this]);
        let server = TestServer::with(&database, Settings { catalog: Some(catalog), ..Settings::default() }).await;
        let ann = server.user("ann");
        let first = ask(&ann, "one", json!({})).await;
        finish(&script.next().await, used(1, 0, 1));
        // Without a price it costs nobody knows how much.
        assert_eq!(ended(&ann, &first).await["usage"]["cost"], Value::Null);
        let told = refused(&ann, json!({})).await;
        assert_eq!((&told["assistant"], &told["used"]), (&json!(DEFAULT_ID), &json!(1)));
    }
}
