//! Whether the promises hold while everything breaks: clients send, follow, stop and retry at several servers on one
//! PostgreSQL, while servers are killed, frozen and renewed and the database restarts. In the end every log of every
//! client is compared with the rows.
//!
//! `make chaos` runs it; `make chaos ARGS='--seconds 600 --seed 7'` longer, and with the choices of another run.
#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
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
mod journal;
mod provider;
mod reader;
mod run;
mod sampler;
mod server;
mod settings;
mod world;

use std::process::ExitCode;

use crate::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::read(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("chaos: {error}");
            return ExitCode::from(64);
        }
    };
    match run::run(settings).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(70)
        }
    }
}
