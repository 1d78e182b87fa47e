//! How many instructions the server spends on requests and on words of replies. They do not depend on what else the
//! machine does, so that a change of a few per cent shows.
//!
//! `make instructions` counts by Valgrind, and fails where a piece takes over 5 % more than recorded;
//! `make instructions ARGS=record` records what is counted now. Each piece runs in a process of its own, twice, with
//! different numbers of rounds: the difference is the rounds' alone, without the start of the server.
#![expect(
    clippy::cast_precision_loss,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for those who build the server, in which a surprise should end the run"
)]

mod client;
mod count;
mod piece;
mod record;
mod server;

use std::process::ExitCode;

use crate::piece::Piece;
use crate::record::Record;

/// By how much a piece may exceed what is recorded.
const TOLERANCE: f64 = 1.05;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run", piece, rounds, database] => {
            server::run(Piece::named(piece).unwrap(), rounds.parse().unwrap(), database);
            ExitCode::SUCCESS
        }
        ["fill", database] => {
            server::fill(database);
            ExitCode::SUCCESS
        }
        ["record"] => {
            let mut record = Record::read();
            record.set(count::all());
            record.write();
            ExitCode::SUCCESS
        }
        [] => compare(),
        _ => {
            eprintln!("instructions: `record`, or nothing");
            ExitCode::from(64)
        }
    }
}

/// Counts, and compares with what is recorded.
fn compare() -> ExitCode {
    let record = Record::read();
    let Some(recorded) = record.get() else {
        eprintln!(
            "instructions: NOT COUNTED, nothing is recorded for {}; to have it: make instructions ARGS=record",
            record::build()
        );
        // Where results count, a new compiler is to be recorded.
        return if std::env::var_os("CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    let mut failed = false;
    println!("{:<34} {:>12} {:>12} {:>7}", record::build(), "recorded", "now", "ratio");
    for (name, now) in count::all() {
        let before = recorded.get(&name).copied();
        let ratio = before.map_or(f64::INFINITY, |before| now as f64 / before as f64);
        let dearer = ratio > TOLERANCE;
        failed |= dearer;
        let verdict = if dearer { "  FAILED" } else { "" };
        println!("{name:<34} {:>12} {now:>12} {ratio:>7.3}{verdict}", before.unwrap_or_default());
    }
    if failed {
        eprintln!(
            "instructions: a piece takes over 5 % more than recorded. Find out why by `valgrind --tool=callgrind`; if it \
             is worth it, record it: make instructions ARGS=record"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
