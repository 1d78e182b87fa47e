//! The README is true.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestServer, on_both_databases};

/// The operations of the tour with their answers, in order.
fn tour() -> Vec<(String, Value)> {
    let readme = include_str!("../../README.md");
    let (_, tour) = readme.split_once("\n## A tour\n").expect("the README has a tour");
    let tour = tour.split_once("\n## ").map_or(tour, |(tour, _)| tour);
    let blocks = tour.split("```graphql\n").skip(1);
    let steps = blocks.map(|block| {
        let (query, rest) = block.split_once("```").unwrap();
        let (_, rest) = rest.split_once("```json\n").expect("an operation has an answer");
        let (answer, _) = rest.split_once("```").unwrap();
        (query.to_owned(), serde_json::from_str(answer).expect("an answer is JSON"))
    });
    steps.collect()
}

/// Puts the README's ids in place of an answer's own, in the order in which they are met.
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
    async fn its_tour_is_true(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let mut names = HashMap::new();
        let tour = tour();
        assert!(tour.len() >= 6);
        for (query, recorded) in tour {
            let real = names.iter().fold(query, |query, (id, name): (&String, &String)| query.replace(name, id));
            let answer = ann.run(&real, json!({})).await;
            let answer = rename(&answer.body, &recorded, &mut names);
            let printed = serde_json::to_string_pretty(&answer).unwrap();
            assert_eq!(answer, recorded, "the README's answer to\n{real}\nmust be\n{printed}");
        }
    }
}
