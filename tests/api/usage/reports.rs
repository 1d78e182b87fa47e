//! What users are told of their usage, and what it takes to tell.

use chrono::{Days, Utc};
use serde_json::{Value, json};

use super::{ask, ended, finish, server, used};
use crate::support::on_both_databases;

const USAGE: &str = "query($since: Date!, $until: Date) { viewer { usage(since: $since, until: $until) {
    day assistantId assistant { name } replies tokens cost } } }";

const QUOTAS: &str = "{ viewer { quotas { resetsAt replies { used reserved } tokens { used } } } }";

on_both_databases! {
    async fn a_user_reads_what_was_used_day_by_day(database) {
        let (server, script, calendar) = server(&database, &[]).await;
        let ann = server.user("ann");
        for (now, tokens) in [("2027-05-05T10:00:00Z", 10), ("2027-05-05T11:00:00Z", 20), ("2027-05-07T10:00:00Z", 30)] {
            calendar.shift(Utc::now(), now.parse().unwrap());
            let sent = ask(&ann, "question", json!({})).await;
            finish(&script.next().await, used(tokens, 0, 1));
            ended(&ann, &sent).await;
        }
        let day = |day: &str, replies: i64, tokens: i64, cost: &str| {
            json!({ "day": day, "assistantId": "default", "assistant": { "name": "default" }, "replies": replies,
                "tokens": tokens, "cost": cost })
        };
        let read = async |variables: Value| ann.data(USAGE, variables).await["viewer"]["usage"].take();
        let all = [day("2027-05-05", 2, 32, "0.00005"), day("2027-05-07", 1, 31, "0.00004")];
        assert_eq!(read(json!({ "since": "2027-05-01" })).await, json!(all));
        assert_eq!(read(json!({ "since": "2027-05-05", "until": "2027-05-06" })).await, json!([all[0]]));
        assert_eq!(read(json!({ "since": "2027-05-08", "until": "2027-05-08" })).await, json!([]));
        for variables in [
            json!({ "since": "2027-05-06", "until": "2027-05-05" }),
            json!({ "since": "2026-05-05", "until": "2027-05-06" }),
            json!({ "since": "2027-02-30" }),
            json!({ "since": "yesterday" }),
        ] {
            assert_eq!(ann.code(USAGE, variables.clone()).await, "BAD_USER_INPUT", "{variables}");
        }
        read(json!({ "since": "2026-05-06", "until": "2027-05-06" })).await;
        let bob = server.user("bob");
        let nothing = bob.data(USAGE, json!({ "since": "2027-05-01" })).await;
        assert_eq!(nothing["viewer"]["usage"], json!([]), "what others use is theirs");
    }

    async fn reading_usage_and_quotas_takes_one_statement(database) {
        let quotas = [json!({ "period": "day", "replies": 9 }), json!({ "period": "month", "tokens": 1_000_000 })];
        let (server, script, _) = server(&database, &quotas).await;
        let ann = server.user("ann");
        let sent = ask(&ann, "question", json!({})).await;
        finish(&script.next().await, used(10, 0, 1));
        ended(&ann, &sent).await;
        server.take_statements();
        let read = ann.data(QUOTAS, json!({})).await;
        assert_eq!(read["viewer"]["quotas"][1]["tokens"]["used"], 11);
        assert_eq!(server.take_statements().len(), 1);
        let since = Utc::now().date_naive() - Days::new(365);
        let read = ann.data(USAGE, json!({ "since": since })).await;
        assert_eq!(read["viewer"]["usage"][0]["tokens"], 11);
        assert_eq!(server.take_statements().len(), 1);
    }

    async fn without_quotas_none_are_read(database) {
        let (server, _, _) = server(&database, &[json!({ "plan": "pro", "period": "day", "replies": 1 })]).await;
        let ann = server.user("ann");
        server.take_statements();
        assert_eq!(ann.data(QUOTAS, json!({})).await["viewer"]["quotas"], json!([]));
        assert_eq!(server.take_statements().len(), 0);
    }
}
