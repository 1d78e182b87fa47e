//! Pages of hits: in order, once each, whatever is written meanwhile.

use serde_json::{Value, json};

use super::{hits, page};
use crate::support::{Client, TestServer, on_both_databases};

const FILTER: &str = "USER";

async fn content_of_pages(client: &Client, size: u32, mut between: impl AsyncFnMut(usize)) -> Vec<String> {
    let (mut texts, mut after, mut number) = (Vec::new(), Value::Null, 0);
    loop {
        let arguments = json!({ "first": size, "after": after, "filter": { "role": FILTER } });
        let page = page(client, "figs", arguments).await;
        assert_eq!(page["pageInfo"]["hasPreviousPage"], number > 0);
        let nodes = page["nodes"].as_array().unwrap();
        texts.extend(nodes.iter().map(|node| node["message"]["content"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            return texts;
        }
        assert_eq!(nodes.len(), size as usize);
        assert_eq!(
            page["pageInfo"]["endCursor"],
            page["edges"].as_array().unwrap().last().unwrap()["cursor"]
        );
        after = page["pageInfo"]["endCursor"].clone();
        between(number).await;
        number += 1;
    }
}

on_both_databases! {
    async fn the_best_come_first(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let padding = "and so on ".repeat(400);
        ann.start(&format!("figs {padding}")).await;
        ann.start("some figs, older").await;
        ann.start("some figs, newer").await;
        ann.start("figs figs figs").await;
        let hits = hits(&ann, "figs", json!({ "role": FILTER })).await;
        let starts: Vec<&str> = hits.iter().map(|hit| &hit["message"]["content"].as_str().unwrap()[..12]).collect();
        assert_eq!(starts, ["figs figs fi", "some figs, n", "some figs, o", "figs and so "]);
        let all = super::hits(&ann, "figs", json!({})).await;
        assert_eq!(all[0]["conversation"]["title"], "figs figs figs");
        assert_eq!(all[0]["message"], Value::Null, "a title is better than a message");
    }

    async fn pages_neither_repeat_nor_skip(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let conversation = ann.start("no fruit").await;
        for number in 0..17 {
            let text = format!("{number} {}{}", "figs, ".repeat(number % 4 + 1), "more ".repeat(number % 3 * 400));
            ann.send(&text, json!({ "conversationId": conversation })).await;
        }
        let all: Vec<String> = hits(&ann, "figs", json!({ "role": FILTER })).await.iter()
            .map(|hit| hit["message"]["content"].as_str().unwrap().to_owned()).collect();
        assert_eq!(all.len(), 17);
        for size in [1, 4, 16, 17, 18] {
            assert_eq!(content_of_pages(&ann, size, async |_| {}).await, all, "pages of {size}");
        }
        // New hits appear where they belong; the others stay where they were.
        let between = async |number: usize| {
            ann.send(&format!("new {}", "figs ".repeat(number + 1)), json!({ "conversationId": conversation })).await;
        };
        let seen = content_of_pages(&ann, 4, between).await;
        let old: Vec<&String> = seen.iter().filter(|text| !text.starts_with("new")).collect();
        assert_eq!(old, all.iter().collect::<Vec<_>>());
    }
}
