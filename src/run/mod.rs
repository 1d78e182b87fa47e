//! What each command does.

mod announcement;
mod database;
mod dev;
mod issuer;
mod logging;
mod serve;
mod usage;

use std::io::{self, Write};

use causerie::config::{self, Cli, Command};
use causerie::graphql;

/// Does what the command line asks for. The error is one line for the operator.
pub(crate) async fn run(cli: Cli) -> Result<(), String> {
    match cli.command {
        Command::Serve(serve) => serve::serve(*serve).await,
        Command::Migrate { database, direction } => database::migrate(database.address()?, direction).await,
        Command::Usage { database, query, format } => usage::usage(database.address()?, &query, format).await,
        Command::Schema => print(&graphql::sdl()),
        Command::Configuration => print(&config::markdown()),
        Command::Token { user, ttl, issuer, database } => {
            print(&format!("{}\n", issuer::token(&user, ttl, &issuer, &database)?))
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| format!("cannot print: {error}"))
}
