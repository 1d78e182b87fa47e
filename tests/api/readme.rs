//! The README is true.

use std::collections::HashMap;
use std::fmt::Write;

use causerie::config::Cli;
use clap::{Arg, CommandFactory};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestServer, on_both_databases};

/// The table of all settings, as the README has it.
fn table() -> String {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let mut table = String::new();
    let mut group = None;
    for arg in serve.get_arguments().filter(|arg| arg.get_long().is_some_and(|name| name != "help")) {
        let heading = arg.get_help_heading().unwrap_or("Server");
        if group != Some(heading) {
            group = Some(heading);
            write!(
                table,
                "\n**{heading}**\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n"
            )
            .unwrap();
        }
        table += &row(arg);
    }
    table
}

fn row(arg: &Arg) -> String {
    let flag = arg.get_long().unwrap();
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let environment = arg.get_env().map_or("", |name| name.to_str().unwrap());
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
    let default = if arg.get_action().takes_values() { defaults.join(", ") } else { String::new() };
    let help = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    format!("| `--{flag}` | {} | {} | {help} |\n", code(environment), code(&default))
}

#[test]
fn it_lists_every_setting_as_it_is() {
    let readme = include_str!("../../README.md");
    let table = table();
    assert!(
        readme.contains(&table),
        "the README's section on configuration must have these tables, and no others:\n{table}"
    );
}

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
