//! Pages of changes end early rather than be too large, and nothing is read that is not asked for.

use std::collections::BTreeMap;

use causerie::admission::Limits;
use causerie::http::Options;
use serde_json::{Value, json};

use crate::support::{Client, Settings, TestDatabase, TestServer, on_both_databases};

/// How long each message is, and how many there are beside their replies, which repeat them.
const TEXT: usize = 100_000;
const MESSAGES: usize = 9;

const IDS: &str = "query($since: String, $first: Int) { changes(since: $since, first: $first) {
  nodes { ... on MessageChanged { message { id position } } } pageInfo { hasNextPage endCursor } } }";

/// The texts by way of edges, an alias and a fragment.
const TEXTS: &str = "query($since: String, $first: Int) { changes(since: $since, first: $first) {
  all: edges { node { ...change } } pageInfo { hasNextPage endCursor } } }
fragment change on MessageChanged { message { id text: content } }";

const LIVE_IDS: &str = "subscription { changes { ... on MessageChanged { message { id } } } }";
const LIVE: &str = "subscription { changes { ... on MessageChanged { message { id content } } } }";

/// A server whose answers may have so much text.
async fn narrow(database: &TestDatabase, answer_bytes: usize) -> TestServer {
    let limits = Limits { answer_bytes, user_rate: 0, address_rate: 0, ..Limits::default() };
    let http = Options { limits, ..Options::default() };
    TestServer::with(database, Settings { http, message_chars: TEXT, ..Settings::default() }).await
}

/// Has ann send long messages. Returns all texts by their ids.
async fn fill(database: &TestDatabase) -> BTreeMap<String, String> {
    let wide = TestServer::with(database, Settings { message_chars: TEXT, ..Settings::default() }).await;
    let ann = wide.user("ann");
    let mut texts = BTreeMap::new();
    for number in 0..MESSAGES {
        let sent = ann.send(&number.to_string().repeat(TEXT), json!({})).await;
        for row in [&sent["message"], &sent["reply"]] {
            texts.insert(row["id"].as_str().unwrap().to_owned(), row["content"].as_str().unwrap().to_owned());
        }
    }
    texts
}

async fn page(client: &Client, query: &str, since: &Value, first: usize) -> Value {
    client.data(query, json!({ "since": since, "first": first })).await["changes"].take()
}

on_both_databases! {
    async fn one_gets_past_any_number_of_long_texts(database) {
        let texts = fill(&database).await;
        let server = narrow(&database, 8 * TEXT).await;
        let ann = server.user("ann");

        let all = page(&ann, IDS, &Value::Null, 100).await;
        let ids = all["nodes"].as_array().unwrap().iter().filter(|node| node["message"].is_object()).count();
        assert_eq!((ids, &all["pageInfo"]["hasNextPage"]), (texts.len(), &json!(false)));

        let (mut since, mut read, mut pages) = (Value::Null, BTreeMap::new(), 0);
        loop {
            let page = page(&ann, TEXTS, &since, 100).await;
            pages += 1;
            let edges = page["all"].as_array().unwrap();
            assert!(!edges.is_empty(), "each page goes on");
            for message in edges.iter().filter_map(|edge| edge["node"].get("message")) {
                let text = message["text"].as_str().unwrap().to_owned();
                assert_eq!(read.insert(message["id"].as_str().unwrap().to_owned(), text), None);
            }
            since = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(read, texts);
        assert!(pages >= texts.len() / 2, "{pages} pages");

        let mut live = ann.subscribe(LIVE, json!({})).await;
        let mut heard = BTreeMap::new();
        while heard.len() < texts.len() {
            let event = live.next().await.expect("the stream goes on");
            if let Some(message) = event["changes"].get("message") {
                let text = message["content"].as_str().unwrap().to_owned();
                heard.insert(message["id"].as_str().unwrap().to_owned(), text);
            }
        }
        assert_eq!(heard, texts);
    }

    async fn one_gets_past_a_text_that_is_too_long_by_not_asking_for_it(database) {
        let texts = fill(&database).await;
        let server = narrow(&database, TEXT).await;
        let ann = server.user("ann");
        let all = page(&ann, IDS, &Value::Null, 100).await;
        assert_eq!(all["nodes"].as_array().unwrap().len(), texts.len() + MESSAGES);
        let mut live = ann.subscribe(LIVE_IDS, json!({})).await;
        for _ in 0..texts.len() + MESSAGES {
            assert!(live.next().await.is_some());
        }

        // What is before it comes; it itself does not; what is after it is reached without its text.
        let first = page(&ann, TEXTS, &Value::Null, 100).await;
        let since = if first["all"][0]["node"].get("message").is_some() {
            Value::Null
        } else {
            first["pageInfo"]["endCursor"].clone()
        };
        let code = ann.code(TEXTS, json!({ "since": since, "first": 100 })).await;
        assert_eq!(code, "ANSWER_TOO_LARGE");
        let past = page(&ann, IDS, &since, 1).await;
        assert_eq!(past["nodes"][0]["message"]["position"], 1);
        assert_eq!(past["pageInfo"]["hasNextPage"], true);
    }
}
