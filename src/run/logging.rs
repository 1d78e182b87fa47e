//! The log.

use std::io::{self, IsTerminal};

use causerie::config::{LogFormat, Operation};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Logs to standard error, as `operation` says.
pub(super) fn start(operation: &Operation) -> Result<(), String> {
    let filter = EnvFilter::try_new(&operation.log).map_err(|error| format!("--log: {error}"))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    let lines = match operation.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .with(filter_fn(may_be_logged))
        .with(filter_fn(is_not_repeated))
        .init();
    Ok(())
}

/// Whether an event is sure to hold no token and no text of a user's: at `trace`, libraries log all that they carry, and
/// that of WebSockets logs at `debug` why a client closes one, in its words.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let most_verbose = match metadata.target() {
        target if target.starts_with("causerie") => Level::TRACE,
        target if target.starts_with("tungstenite") => Level::INFO,
        _ => Level::DEBUG,
    };
    *metadata.level() <= most_verbose
}

/// Whether nobody else logs the same: the pool warns of each connection that is lost, and whoever needed it logs what came
/// of it.
fn is_not_repeated(metadata: &Metadata<'_>) -> bool {
    !(metadata.target().starts_with("sqlx_core::pool") && *metadata.level() == Level::WARN)
}
