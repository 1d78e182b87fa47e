//! The command line.

mod dev;
mod run;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use causerie::config::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    match runtime.block_on(run::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

/// Says in one line what is wrong.
fn fail(message: &str) -> ExitCode {
    let message = message.replace('\n', " ");
    let _ = writeln!(io::stderr(), "causerie: {message}");
    ExitCode::FAILURE
}
