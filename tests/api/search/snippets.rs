//! Snippets, as a front-end in JavaScript reads them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::hits;
use crate::support::{TestServer, on_both_databases};

/// What a range cuts out of its snippet, with JavaScript's `slice`.
fn slices(snippet: &Value) -> Vec<String> {
    let units: Vec<u16> = snippet["text"].as_str().unwrap().encode_utf16().collect();
    let at = |range: &Value, end: &str| usize::try_from(range[end].as_u64().unwrap()).unwrap();
    let slice = |range: &Value| String::from_utf16(&units[at(range, "start")..at(range, "end")]).unwrap();
    snippet["ranges"].as_array().unwrap().iter().map(slice).collect()
}

on_both_databases! {
    async fn snippets_show_why(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let text = format!("{}😀 Das <b>Crème-Rezept</b> 😀 von Crème{}", "davor ".repeat(100), " danach".repeat(100));
        ann.start(&text).await;
        let found = hits(&ann, "creme \"creme rezept\"", json!({ "role": "USER" })).await;
        let snippet = &found[0]["snippet"];
        assert_eq!(slices(snippet), ["Crème-Rezept", "Crème"]);
        assert_eq!((&snippet["startsInside"], &snippet["endsInside"]), (&json!(true), &json!(true)));
        let shown = snippet["text"].as_str().unwrap();
        assert!(text.contains(shown) && shown.contains("<b>"), "as it was written: {shown}");
        assert!(shown.chars().count() <= 200);

        let titles = hits(&ann, "davor", json!({ "scope": "TITLES" })).await;
        let snippet = &titles[0]["snippet"];
        assert_eq!(snippet["text"], titles[0]["conversation"]["title"]);
        assert!(slices(snippet).iter().all(|slice| slice == "davor"));
    }
    async fn searches_hold_up_nobody_else(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let text = format!("{}{} b", "a ".repeat(15_700), "y".repeat(300));
        for _ in 0..5 {
            ann.start(&text).await;
        }
        let searches = tokio::spawn(async move {
            let query = "{ search(query: \"a b\", first: 100) { nodes { snippet { text } } } }";
            let all = join_all((0..10).map(|_| ann.data(query, json!({})))).await;
            assert!(all.iter().all(|data| data["search"]["nodes"].as_array().unwrap().len() == 10));
        });
        let bob = server.user("bob");
        let mut longest = Duration::ZERO;
        while !searches.is_finished() {
            let begun = Instant::now();
            bob.data("{ viewer { id } }", json!({})).await;
            longest = longest.max(begun.elapsed());
        }
        searches.await.unwrap();
        assert!(longest < Duration::from_secs(2), "{longest:?}");
    }
}
