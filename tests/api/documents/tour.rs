//! What the guide shows happens.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use super::page::Page;
use crate::support::{TestServer, on_both_databases};

/// The operations of the guide. Those of the tour, which comes last, are each followed by their answer.
struct Guide {
    before: Vec<String>,
    tour: Vec<(String, Value)>,
}

impl Guide {
    fn read() -> Self {
        let page = Page::read(Path::new("docs/guide.md"));
        let (mut before, mut tour) = (Vec::new(), Vec::new());
        let mut blocks = page.blocks.into_iter().peekable();
        while let Some((language, query)) = blocks.next() {
            let answer = blocks.peek().filter(|(language, _)| language == "json");
            let answer = answer.and_then(|(_, json)| serde_json::from_str::<Value>(json).ok());
            match answer.filter(|answer| answer.get("data").is_some()) {
                _ if language != "graphql" => {}
                Some(answer) => tour.push((query, answer)),
                None => before.push(query),
            }
        }
        Self { before, tour }
    }
}

/// Puts the guide's ids in place of an answer's own, in the order in which they are met.
fn rename(answer: &Value, recorded: &Value, names: &mut HashMap<String, String>) -> Value {
    match (answer, recorded) {
        (Value::Object(fields), _) => {
            let of = |name: &str| recorded.get(name).unwrap_or(&Value::Null).clone();
            fields.iter().map(|(name, value)| (name.clone(), rename(value, &of(name), names))).collect()
        }
        (Value::Array(items), _) => {
            let of = |index: usize| recorded.get(index).unwrap_or(&Value::Null).clone();
            items.iter().enumerate().map(|(index, item)| rename(item, &of(index), names)).collect()
        }
        (Value::String(id), recorded) if Uuid::try_parse(id).is_ok() => {
            if let Value::String(name) = recorded {
                names.entry(id.clone()).or_insert_with(|| name.clone());
            }
            names.get(id).map_or_else(|| answer.clone(), |name| Value::from(name.as_str()))
        }
        _ => answer.clone(),
    }
}

on_both_databases! {
    async fn the_tour_is_true(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let mut names = HashMap::new();
        let tour = Guide::read().tour;
        assert!(tour.len() >= 6);
        for (query, recorded) in tour {
            let real = names.iter().fold(query, |query, (id, name): (&String, &String)| query.replace(name, id));
            let answer = ann.run(&real, json!({})).await;
            let answer = rename(&answer.body, &recorded, &mut names);
            let printed = serde_json::to_string_pretty(&answer).unwrap();
            assert_eq!(answer, recorded, "the guide's answer to\n{real}\nmust be\n{printed}");
        }
    }

    async fn the_operations_of_the_guide_fit_the_schema(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let operations = Guide::read().before;
        assert!(operations.len() >= 4);
        // Those that an operation does not declare are dropped.
        let variables = json!({ "id": Uuid::nil(), "input": { "content": "Good morning!", "idempotencyKey": Uuid::now_v7() }, "text": "morning" });
        for operation in operations {
            let request = ann.post("/graphql").header("accept", "text/event-stream");
            let mut response = request.json(&json!({ "query": operation, "variables": variables })).send().await.unwrap();
            let mut events = String::new();
            while !events.contains("data: ") {
                let chunk = response.chunk().await.unwrap().expect("there is an event");
                events += std::str::from_utf8(&chunk).unwrap();
            }
            let fits = !events.contains("GRAPHQL_") && !events.contains("BAD_USER_INPUT");
            assert!(fits, "{operation}\n{events}");
        }
    }
}
