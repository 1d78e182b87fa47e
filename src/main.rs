//! The command line.

mod run;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use causerie::config::Cli;

/// The exit code for a command line that cannot be meant.
const USAGE: u8 = 2;

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(&format!("cannot start: {error}")),
        };
    match runtime.block_on(run::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

/// How many threads requests run on: one for each processor, and as many as expensive queries may keep busy while they
/// put their answers together. What else takes long goes to blocking threads.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    processors + (processors / 2).max(1)
}

/// Says in one line what is wrong with the command line, or prints what it asks for.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.exit();
    }
    let cause = std::error::Error::source(error);
    let message = if let (Some(argument), Some(cause)) = (error.get(ContextKind::InvalidArg), cause) {
        // Without the value, as clap would have it: it may be a secret, or an address with a password.
        format!("{argument}: {cause}")
    } else {
        let text = error.to_string();
        let lines = text.trim_start_matches("error: ").lines();
        let first = lines.take_while(|line| !line.is_empty()).map(str::trim);
        first.collect::<Vec<_>>().join(" ")
    };
    let _ = fail(&message);
    ExitCode::from(USAGE)
}

/// Says in one line what is wrong.
fn fail(message: &str) -> ExitCode {
    let message = message.replace('\n', " ");
    let _ = writeln!(io::stderr(), "causerie: {message}");
    ExitCode::FAILURE
}
