//! Whether the promises hold while everything breaks: clients send, follow, stop and retry at several servers on one
//! PostgreSQL, while servers are killed, frozen and renewed and the database restarts. In the end every log of every
//! client is compared with the rows.
//!
//! `make chaos` runs it; `make chaos ARGS='--seconds 600 --seed 7'` longer, and with the choices of another run.
//! `make measure` breaks nothing, and tells what many readers cost; `make hostile` tells what hostile clients cost.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for those who build the server, in which a surprise should end the run"
)]

mod api;
mod checker;
mod cluster;
mod device;
mod director;
mod fleet;
mod follower;
mod hostile;
mod journal;
mod measure;
mod provider;
mod reader;
mod run;
mod sampler;
mod server;
mod settings;
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
    if arguments.next_if_eq("measure").is_some() {
        return measure::measure().await.map(|()| 0);
    }
    run::run(Settings::read(arguments)?).await
}
