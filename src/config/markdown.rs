//! The documentation of all settings.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use super::Cli;

const INTRODUCTION: &str = "\
<!-- `make configuration` writes this file from the code. -->

# Configuration

Every setting is a flag of `causerie serve` and an environment variable; the flag wins. `causerie serve --help` says the
same. Durations are written `250ms`, `10s`, `10m`, `1h`.
";

/// All settings of `serve` in tables, one for each heading of its help, and the commands.
#[must_use]
pub fn markdown() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut text = INTRODUCTION.to_owned();
    if let Some(serve) = cli.find_subcommand("serve") {
        for heading in headings(serve) {
            let _ = write!(
                text,
                "\n## {}\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n",
                heading.unwrap_or("Server")
            );
            text.extend(settings(serve).filter(|arg| arg.get_help_heading() == heading).map(row));
        }
    }
    text += "\n## Commands\n\n| command | what it does |\n|---|---|\n";
    write_commands(&mut text, &cli);
    text
}

fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.get_id() != "help")
}

/// The headings of a command's help in their order; `None` is that of settings without one.
fn headings(command: &Command) -> Vec<Option<&str>> {
    let mut headings = Vec::new();
    for heading in settings(command).map(Arg::get_help_heading) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    headings
}

fn row(arg: &Arg) -> String {
    let flag = arg.get_long().unwrap_or_default();
    let environment = arg.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
    let takes_value = arg.get_action().takes_values();
    let defaults = arg.get_default_values().iter().filter(|_| takes_value);
    let defaults: Vec<_> = defaults.map(|value| code(&value.to_string_lossy())).collect();
    let meaning = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut meaning = sentence(&meaning);
    for value in arg.get_possible_values() {
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(meaning, " {}: {}", code(value.get_name()), sentence(&help));
    }
    format!("| `--{flag}` | {environment} | {} | {meaning} |\n", defaults.join(", "))
}

/// The commands that do something, with those below them.
fn write_commands(text: &mut String, command: &Command) {
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        if command.has_subcommands() {
            write_commands(text, command);
        } else {
            let name = command.get_bin_name().unwrap_or_default();
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "| {} | {} |", code(name), sentence(&about));
        }
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// One line of a table, with the full stop that the command line's help leaves out.
fn sentence(help: &str) -> String {
    let line = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    line.trim_end_matches('.').to_owned() + "."
}
