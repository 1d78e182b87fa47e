//! Whether the promises hold while everything breaks: clients send, follow, stop and retry at several servers on one
//! PostgreSQL, while servers are killed, frozen and renewed, and the database restarts, is away, slow or silent, or
//! fails over to its standby. In the end every log of every client is compared with the rows. Each run first makes sure
//! that the checker sees what it looks for; `self-test` does only that.
//!
//! `make chaos` runs it; `make chaos ARGS='--seconds 600 --seed 7'` longer, and with the choices of another run;
//! `make chaos ARGS='--only black-hole,fail-over'` with these faults only; `make chaos ARGS=--sqlite` with one server on
//! a file. `make measure` breaks nothing, and tells what many readers cost; `make hostile` tells what hostile clients
//! cost, each attack chosen by its name with `--only`.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for those who build the server, in which a surprise should end the run"
)]

mod api;
mod assistants;
mod checker;
mod database;
mod device;
mod events;
mod fault;
mod fleet;
mod follower;
mod hostile;
mod injector;
mod journal;
mod ledger;
mod measure;
mod parts;
mod provider;
mod reader;
mod recovery;
mod run;
mod sampler;
mod self_test;
mod server;
mod settings;
mod socket;
mod world;
mod writing;

use std::process::ExitCode;

use crate::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(70)
        }
    }
}

async fn start() -> Result<usize, String> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("hostile").is_some() {
        return hostile::run(arguments).await;
    }
    if arguments.next_if_eq(hostile::ATTACKERS).is_some() {
        return hostile::attack(arguments).await.map(|()| 0);
    }
    if arguments.next_if_eq("self-test").is_some() {
        return self_test::run().await.map(|()| 0);
    }
    if arguments.next_if_eq("measure").is_some() {
        return measure::measure().await.map(|()| 0);
    }
    run::run(Settings::read(arguments)?).await
}
