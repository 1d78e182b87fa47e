//! Servers die, and each request that was made to a model is charged once.

use serde_json::json;

use super::{check_sums, entries};
use crate::support::{Process, TestDatabase, on_both_databases};

/// Options under which a dead server's replies are soon taken over.
const SHORT_LEASE: [&str; 4] = ["--reply-lease", "1s", "--reply-checkpoint", "20ms"];

/// Begins a reply at a server that writes slowly, kills it once the reply has `words`, and waits until another server
/// has written the reply. Returns the entries.
async fn kill_after(database: &TestDatabase, words: usize) -> Vec<String> {
    let slow = [&SHORT_LEASE[..], &["--echo-delay", "100ms"]].concat();
    let server = Process::start(database, &slow).await;
    let ann = server.user("ann");
    // Its answer has 27 words.
    let question = ["word"; 20].join(" ");
    let sent = ann.send(&question, json!({ "awaitReply": false, "idempotencyKey": "key" })).await;
    let conversation = sent["conversation"]["id"].as_str().unwrap().to_owned();
    let text = async || ann.messages(&conversation).await[1]["content"].as_str().unwrap().to_owned();
    while text().await.split_whitespace().count() < words {
        tokio::task::yield_now().await;
    }
    server.kill().await;

    let server = Process::start(database, &SHORT_LEASE).await;
    let ann = server.user("ann");
    let whole = ann.send(&question, json!({ "idempotencyKey": "key" })).await;
    assert_eq!(whole["reply"]["status"], "COMPLETE");
    check_sums(database).await;
    let entries = entries(database).await;
    server.kill().await;
    entries
}

/// Checks that the lost request and the next one are charged, and one reply is counted.
async fn check(database: &TestDatabase, entries: &[String]) {
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert!(entries[0].starts_with("REPLY settled estimated "), "{entries:?}");
    assert!(entries[1].starts_with("RESTART settled "), "{entries:?}");
    assert!(!entries[1].contains("estimated"), "{entries:?}");
    assert_eq!(database.number("SELECT CAST(sum(replies) AS BIGINT) FROM usage_day").await, 1);
}

on_both_databases! {
    async fn a_request_that_dies_before_the_first_word_is_charged_once(database) {
        check(&database, &kill_after(&database, 0).await).await;
    }

    async fn a_request_that_dies_in_mid_reply_is_charged_once(database) {
        check(&database, &kill_after(&database, 8).await).await;
    }

    async fn a_request_that_dies_before_the_end_is_charged_once(database) {
        check(&database, &kill_after(&database, 18).await).await;
    }

    async fn after_the_last_attempt_what_was_written_is_charged(database) {
        let once = [&SHORT_LEASE[..], &["--echo-delay", "50ms", "--reply-attempts", "1"]].concat();
        let server = Process::start(&database, &once).await;
        let ann = server.user("ann");
        let input = json!({ "awaitReply": false, "idempotencyKey": "key" });
        let sent = ann.send("one two three four five", input).await;
        let conversation = sent["conversation"]["id"].as_str().unwrap();
        while ann.messages(conversation).await[1]["content"] == "" {
            tokio::task::yield_now().await;
        }
        server.kill().await;
        let server = Process::start(&database, &SHORT_LEASE).await;
        let reply = server.user("ann").send("one two three four five", json!({ "idempotencyKey": "key" })).await;
        assert_eq!(reply["reply"]["status"], "FAILED");
        let entries = entries(&database).await;
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert!(entries[0].starts_with("REPLY settled estimated "), "{entries:?}");
        check_sums(&database).await;
    }
}
