//! A server that is told to stop finishes what it has begun.

use serde_json::json;

use crate::support::{Client, Process, on_both_databases};

on_both_databases! {
    async fn a_request_in_flight_is_answered_and_no_new_one_is_taken(database) {
        let mut server = Process::start(&database, &["--echo-delay", "20ms"]).await;
        let ann = server.user("ann");
        let (sent, code) = tokio::join!(ann.send("a reply of a few words", json!({})), async {
            wait_for_text(&ann).await;
            server.signal("TERM").await;
            server.wait().await
        });
        assert_eq!(sent["reply"]["status"], "COMPLETE");
        assert!(sent["reply"]["content"].as_str().unwrap().ends_with("a reply of a few words"));
        assert_eq!(code, Some(0));
        assert!(ann.try_run("{ __typename }", json!({})).await.is_err(), "nobody listens any more");
    }

    async fn a_reply_that_takes_too_long_is_handed_on_whole(database) {
        let slow = ["--echo-delay", "50ms", "--drain", "100ms", "--reply-attempts", "1"];
        let server = Process::start(&database, &slow).await;
        let ann = server.user("ann");
        let long = "word ".repeat(200);
        let input = json!({ "idempotencyKey": "once", "awaitReply": false });
        ann.send(&long, input).await;
        wait_for_text(&ann).await;
        assert_eq!(server.stop().await, Some(0));

        // It does not count as an attempt, and nobody waits for the lease of ten seconds.
        let server = Process::start(&database, &[]).await;
        let began = std::time::Instant::now();
        let ended = server.user("ann").send(&long, json!({ "idempotencyKey": "once" })).await;
        assert_eq!(ended["reply"]["status"], "COMPLETE", "{}", ended["reply"]["failure"]);
        assert!(ended["reply"]["content"].as_str().unwrap().ends_with(long.trim()));
        assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_from_the_keyboard_stops_it_too() {
    let database = crate::support::TestDatabase::sqlite();
    let mut server = Process::start(&database, &[]).await;
    server.user("ann").start("hello").await;
    server.signal("INT").await;
    assert_eq!(server.wait().await, Some(0));
}

/// Waits until the first words of the viewer's only reply are stored.
async fn wait_for_text(client: &Client) {
    let query = "{ conversations { nodes { lastMessage { role content } } } }";
    loop {
        let data = client.data(query, json!({})).await;
        let last = &data["conversations"]["nodes"][0]["lastMessage"];
        if last["role"] == "ASSISTANT" && last["content"] != "" {
            return;
        }
        tokio::task::yield_now().await;
    }
}
