//! Days and months come to their ends, by a calendar that the test sets.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{ask, check_sums, ended, finish, lines, server, used};
use crate::support::on_both_databases;

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

on_both_databases! {
    async fn at_midnight_and_at_the_month_s_end_counting_begins_anew(database) {
        let quotas =
            [json!({ "period": "day", "replies": 1 }), json!({ "period": "month", "replies": 2 })];
        let (server, script, calendar) = server(&database, &quotas).await;
        let ann = server.user("ann");
        let mut conversation = json!({});
        let mut asked = 0;
        for (now, allowed, resets_at) in [
            ("2027-01-30T12:00:00Z", true, ""),
            ("2027-01-30T23:59:30Z", false, "2027-01-31T00:00:00"),
            ("2027-01-31T00:00:01Z", true, ""),
            ("2027-01-31T23:00:00Z", false, "2027-02-01T00:00:00"),
            ("2027-02-01T00:00:01Z", true, ""),
            ("2027-02-01T00:10:00Z", false, "2027-02-02T00:00:00"),
            ("2027-02-02T00:00:01Z", true, ""),
            ("2027-02-03T00:00:01Z", false, "2027-03-01T00:00:00"),
        ] {
            calendar.shift(Utc::now(), instant(now));
            if !allowed {
                let mut more = conversation.clone();
                more["awaitReply"] = false.into();
                let answer = ann.try_send("more", more).await;
                assert_eq!(answer.code(), "QUOTA_EXCEEDED", "{now}");
                let told = answer.body["errors"][0]["extensions"]["resetsAt"].as_str().unwrap().to_owned();
                // The server's clock is not shifted, and so neither is the instant that it tells.
                let told = instant(&told) + (instant(now) - Utc::now());
                assert!((told - instant(&format!("{resets_at}Z"))).num_seconds().abs() <= 2, "{now}: {told}");
                continue;
            }
            let sent = ask(&ann, "more", conversation.clone()).await;
            finish(&script.next().await, used(1, 0, 1));
            ended(&ann, &sent).await;
            conversation = json!({ "conversationId": sent["conversation"]["id"] });
            asked += 1;
        }
        let days = lines(&database, "SELECT CAST(day AS TEXT) FROM usage_day ORDER BY day").await;
        assert_eq!(days, ["2027-01-30", "2027-01-31", "2027-02-01", "2027-02-02"]);
        assert_eq!(asked, 4);
        check_sums(&database).await;
    }

    async fn a_reply_counts_on_the_day_it_was_asked_for(database) {
        let (server, script, calendar) = server(&database, &[json!({ "period": "day", "replies": 1 })]).await;
        let ann = server.user("ann");
        calendar.shift(Utc::now(), instant("2027-05-05T23:59:00Z"));
        let late = ask(&ann, "late", json!({})).await;
        let attempt = script.next().await;
        calendar.shift(Utc::now(), instant("2027-05-06T00:01:00Z"));
        finish(&attempt, used(1, 0, 1));
        ended(&ann, &late).await;
        ask(&ann, "early", json!({})).await;
        let sums = "SELECT CAST(day AS TEXT) || ' ' || CAST(replies AS TEXT) || ' ' || CAST(reserved_replies AS TEXT)
            FROM usage_day ORDER BY day";
        assert_eq!(lines(&database, sums).await, ["2027-05-05 1 0", "2027-05-06 0 1"]);
        check_sums(&database).await;
    }
}
