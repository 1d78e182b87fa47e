//! The command line, put together from the options that each part declares.

mod markdown;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

pub use self::markdown::markdown;
use crate::{assistant, auth, chat, database, http, receipts, reply, usage};

/// A self-hosted GraphQL server for chat with an assistant.
///
/// It keeps conversations in an SQLite file or in PostgreSQL, has an OpenAI-compatible assistant answer them,
/// and shows each user their own and nothing else. Every flag has an environment variable; a flag wins.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the API.
    Serve(Box<Serve>),
    /// Migrate the database to another version of its schema, or list its migrations.
    Migrate {
        /// The database.
        #[command(flatten)]
        database: database::Options,
        /// Where to.
        #[command(subcommand)]
        direction: Direction,
    },
    /// Print what users, assistants or models have used. The database is only read, and servers may run meanwhile.
    Usage {
        /// The database.
        #[command(flatten)]
        database: database::Options,
        /// What is reported.
        #[command(flatten)]
        query: usage::Query,
        /// How it is printed.
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: usage::Format,
    },
    /// Print the GraphQL schema.
    Schema,
    /// Print all settings of `serve` as Markdown.
    Configuration,
    /// Print a token for a user, signed with the shared secret, or with the secret of `serve --dev`.
    Token {
        /// The user's id: 1 to 255 characters, none of them a control character.
        #[arg(long, value_name = "ID")]
        user: String,
        /// The token expires after this time.
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        ttl: Duration,
        /// Whose tokens are accepted.
        #[command(flatten)]
        issuer: auth::IssuerOptions,
        /// The database, beside which `serve --dev` keeps its secret.
        #[command(flatten)]
        database: database::Options,
    },
}

/// Where to migrate to.
#[derive(Subcommand)]
pub enum Direction {
    /// Apply the migrations that are missing.
    Up,
    /// Revert the last migrations, and erase all that they hold.
    Down {
        /// How many migrations to revert.
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List the migrations, and which of them are applied.
    Status,
}

/// How to serve.
#[derive(Args)]
pub struct Serve {
    /// The address and port to listen on; with port 0, a free port.
    #[arg(long, env = "CAUSERIE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// For development, on loopback only: accept tokens of a secret that is made once and kept beside the database, print
    /// one for user `dev`, open the chat page and GraphiQL signed in, and let pages of this machine use the API, on any
    /// port of `localhost`, `127.0.0.1` and `[::1]`.
    #[arg(long)]
    pub dev: bool,
    /// The database.
    #[command(flatten)]
    pub database: database::Options,
    /// The server holds at most this many connections to the database. Requests wait for a free one.
    #[arg(long, env = "CAUSERIE_DATABASE_CONNECTIONS", value_name = "NUMBER", default_value_t = 12,
        value_parser = value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,
    /// Do not migrate the database on start, but wait until somebody else has.
    #[arg(long, env = "CAUSERIE_NO_MIGRATE")]
    pub no_migrate: bool,
    /// Whose tokens are accepted.
    #[command(flatten)]
    pub issuer: auth::IssuerOptions,
    /// Which assistant writes.
    #[command(flatten)]
    pub assistant: assistant::Options,
    /// How replies are written.
    #[command(flatten)]
    pub reply: reply::Options,
    /// How requests are served.
    #[command(flatten)]
    pub http: http::Options,
    /// The bounds on what a viewer may store.
    #[command(flatten)]
    pub chat: chat::Limits,
    /// When receipts are erased.
    #[command(flatten)]
    pub receipts: receipts::Options,
    /// How the server is operated.
    #[command(flatten)]
    pub operation: Operation,
}

/// How the server is operated.
#[derive(Args)]
#[command(next_help_heading = "Operation")]
pub struct Operation {
    /// Replies and requests in flight have this long to end when the server is told to stop. Then replies are handed over
    /// to other servers.
    #[arg(long, env = "CAUSERIE_DRAIN", value_name = "DURATION", default_value = "20s",
        value_parser = humantime::parse_duration)]
    pub drain: Duration,
    /// Allow the assistant and the JWKS endpoint to be reached without TLS on other machines.
    #[arg(long, env = "CAUSERIE_ALLOW_PLAINTEXT")]
    pub allow_plaintext: bool,
    /// The format of log lines.
    #[arg(long, env = "CAUSERIE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,causerie=debug`.
    /// Libraries log nothing at `trace`: it would be all that they carry.
    #[arg(long, env = "CAUSERIE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::assistant::Common;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_environment_variable_is_named_like_its_flag() {
        let cli = Cli::command();
        for arg in cli.find_subcommand("serve").unwrap().get_arguments() {
            let flag = arg.get_long().unwrap().replace('-', "_").to_uppercase();
            if let Some(name) = arg.get_env() {
                let name = name.to_str().unwrap();
                assert!(
                    name == format!("CAUSERIE_{flag}") || name == flag && flag.starts_with("DATABASE_URL")
                );
            }
        }
    }

    #[test]
    fn help_and_debug_show_no_secret() {
        let secret = "swordfish-swordfish-swordfish-32";
        let cli = Cli::parse_from([
            "causerie",
            "serve",
            "--auth-secret",
            secret,
            "--assistant-url=https://h/v1?key=swordfish",
            "--assistant-model=m",
            "--assistant-key=swordfish",
            "--database-url=postgres://u:swordfish@h/d",
        ]);
        let Command::Serve(serve) = cli.command else { panic!("it was `serve`") };
        let common =
            Common { timeout: serve.reply.timeout, allow_plaintext: false, instructions_chars: 8000 };
        let assistant = serve.assistant.catalog(common).unwrap();
        let shown = format!("{:?} {:?} {assistant:?}", serve.issuer.source(), serve.database);
        assert!(shown.contains("Secret(…)") && shown.contains("OpenAi"), "{shown}");
        assert!(!shown.contains("swordfish"), "{shown}");
    }
}
