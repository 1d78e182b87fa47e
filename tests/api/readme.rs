//! The README is true.

use std::fmt::Write;

use causerie::config::Cli;
use clap::{Arg, CommandFactory};

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
