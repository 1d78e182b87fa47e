//! Flags of HTTP: who may come, and how much anybody may take.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration_from;
use crate::admission::QueryLimits;
use crate::http::{Introspection, Limits, Options, Origin, TrustedDocuments, TrustedProxy};

/// Who may come.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpArgs {
    /// An origin whose pages may use the API, such as `https://app.example`; `*` for all. May be given several
    /// times, or as a list with commas. None unless given.
    #[arg(long = "cors-origin", env = "CAUSERIE_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,
    /// A proxy whose `X-Forwarded-For` is believed: an address, or a network such as `10.0.0.0/8`. May be given
    /// several times, or as a list with commas. None unless given.
    #[arg(
        long = "trusted-proxy",
        env = "CAUSERIE_TRUSTED_PROXY",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Who may explore the schema.
    #[arg(long, env = "CAUSERIE_INTROSPECTION", value_name = "WHO", default_value = "on")]
    pub introspection: Introspection,
    /// Serve only the documents in this file: a JSON object from names to texts, as `relay-compiler` and
    /// `graphql-codegen` write it, or Apollo's manifest. Clients may send the name, or the text.
    #[arg(long, env = "CAUSERIE_TRUSTED_DOCUMENTS", value_name = "FILE")]
    pub trusted_documents: Option<PathBuf>,
    /// How much anybody may take.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// How much anybody may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits (each server counts for itself)")]
pub struct LimitArgs {
    /// How many bytes the body of a request, or a message on a WebSocket, may have.
    #[arg(long, env = "CAUSERIE_MAX_BODY", value_name = "BYTES", default_value_t = 1024 * 1024,
        value_parser = clap::value_parser!(u32).range(1024..=64 * 1024 * 1024))]
    pub max_body: u32,
    /// How many tokens the text of a query may have.
    #[arg(long, env = "CAUSERIE_MAX_QUERY_TOKENS", value_name = "NUMBER", default_value_t = 5000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub max_query_tokens: u64,
    /// How many fields and fragments a query may select, a fragment counted wherever it is spread.
    #[arg(long, env = "CAUSERIE_MAX_QUERY_SIZE", value_name = "NUMBER", default_value_t = 2000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub max_query_size: u64,
    /// How many selection sets, those of fragments included, may lie within each other.
    #[arg(long, env = "CAUSERIE_MAX_QUERY_DEPTH", value_name = "NUMBER", default_value_t = 25,
        value_parser = clap::value_parser!(u64).range(1..=100))]
    pub max_query_depth: u64,
    /// How many aliases a query may have, a fragment's counted wherever it is spread.
    #[arg(long, env = "CAUSERIE_MAX_QUERY_ALIASES", value_name = "NUMBER", default_value_t = 100)]
    pub max_query_aliases: u64,
    /// How many directives a query may have, a fragment's counted wherever it is spread.
    #[arg(long, env = "CAUSERIE_MAX_QUERY_DIRECTIVES", value_name = "NUMBER", default_value_t = 100)]
    pub max_query_directives: u64,
    /// How much a query may cost: 1 for each field, but 10 for a page of the viewer's, 200 for a mutation, 1000 for a search and
    /// 200 for each further word of it, 50 for a snippet, and 2000 for the schema,
    /// times the items of the pages around it.
    #[arg(long, env = "CAUSERIE_MAX_QUERY_COMPLEXITY", value_name = "NUMBER", default_value_t = 20_000)]
    pub max_query_complexity: u64,
    /// How many errors an answer may have; the others are only counted.
    #[arg(long, env = "CAUSERIE_MAX_ERRORS", value_name = "NUMBER", default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub max_errors: u16,
    /// How many bytes the texts in one answer may have, those read for it counted too.
    #[arg(long, env = "CAUSERIE_MAX_ANSWER", value_name = "BYTES", default_value_t = 32 * 1024 * 1024,
        value_parser = clap::value_parser!(u32).range(1024..))]
    pub max_answer: u32,
    /// How many bytes of bodies that arrive and of answers that are not sent yet there may be, in all; a quarter of it
    /// for one user. The process takes a few times as much at worst.
    #[arg(long, env = "CAUSERIE_MAX_MEMORY", value_name = "BYTES", default_value_t = 256 * 1024 * 1024,
        value_parser = clap::value_parser!(u64).range(1024 * 1024..))]
    pub max_memory: u64,
    /// How many connections there may be. More wait.
    #[arg(long, env = "CAUSERIE_MAX_CONNECTIONS", value_name = "NUMBER", default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_connections: u32,
    /// How many connections one address may have, a network of 64 bits counting as one address of IPv6. More are closed
    /// at once. Proxies that are trusted (`--trusted-proxy`) may have any number.
    #[arg(long, env = "CAUSERIE_MAX_ADDRESS_CONNECTIONS", value_name = "NUMBER", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_address_connections: u32,
    /// How many requests may be in hand. More are `UNAVAILABLE`, to be sent again.
    #[arg(long, env = "CAUSERIE_MAX_REQUESTS", value_name = "NUMBER", default_value_t = 2000,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_requests: u32,
    /// How many requests of one user may be in hand.
    #[arg(long, env = "CAUSERIE_MAX_USER_REQUESTS", value_name = "NUMBER", default_value_t = 250)]
    pub max_user_requests: u32,
    /// How many WebSockets one user may hold open.
    #[arg(long, env = "CAUSERIE_MAX_USER_SOCKETS", value_name = "NUMBER", default_value_t = 50)]
    pub max_user_sockets: u32,
    /// How many subscriptions one user may have, on WebSockets and event streams together.
    #[arg(long, env = "CAUSERIE_MAX_USER_SUBSCRIPTIONS", value_name = "NUMBER", default_value_t = 500)]
    pub max_user_subscriptions: u32,
    /// How many operations one WebSocket may have at a time.
    #[arg(long, env = "CAUSERIE_MAX_SUBSCRIPTIONS", value_name = "NUMBER", default_value_t = 100)]
    pub max_subscriptions: u32,
    /// How many requests a second one user may send on average, and ten times as many at once; 0 for any number. A request,
    /// or a message on a WebSocket, counts once more for each 1000 of its complexity, each 8000 of its bytes, and each
    /// 256 KiB of the texts in its answer.
    #[arg(long, env = "CAUSERIE_USER_RATE", value_name = "NUMBER", default_value_t = 50)]
    pub user_rate: u32,
    /// How many requests a second one address may send on average, and ten times as many at once; 0 for any number. A
    /// request counts once more for each 8000 of its bytes, and that of nobody who has signed in as it does for a user.
    #[arg(long, env = "CAUSERIE_ADDRESS_RATE", value_name = "NUMBER", default_value_t = 200)]
    pub address_rate: u32,
    /// How long a request may take to be answered, subscriptions excepted. It includes the reply's time, if the
    /// client waits for that.
    #[arg(long, env = "CAUSERIE_REQUEST_TIMEOUT", value_name = "DURATION", default_value = "15m",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub request_timeout: Duration,
    /// How long the body of a request may take to arrive.
    #[arg(long, env = "CAUSERIE_BODY_TIMEOUT", value_name = "DURATION", default_value = "15s",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub body_timeout: Duration,
    /// How long the first message of a WebSocket, `connection_init`, may take to arrive.
    #[arg(long, env = "CAUSERIE_INIT_TIMEOUT", value_name = "DURATION", default_value = "5s",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub init_timeout: Duration,
    /// How long a connection may be open without a request in hand, and how long the head of a request may take to
    /// arrive. A proxy should close its idle connections sooner.
    #[arg(long, env = "CAUSERIE_IDLE_TIMEOUT", value_name = "DURATION", default_value = "75s",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub idle_timeout: Duration,
    /// How long a client may read nothing of what is sent to it.
    #[arg(long, env = "CAUSERIE_WRITE_TIMEOUT", value_name = "DURATION", default_value = "30s",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub write_timeout: Duration,
    /// How long a WebSocket may be open without an operation.
    #[arg(long, env = "CAUSERIE_SOCKET_IDLE_TIMEOUT", value_name = "DURATION", default_value = "1h",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub socket_idle_timeout: Duration,
    /// How long a stream or socket is silent before the server sends a sign of life, which it also expects.
    #[arg(long, env = "CAUSERIE_KEEP_ALIVE", value_name = "DURATION", default_value = "12s",
        value_parser = duration_from(Duration::from_millis(10)))]
    pub keep_alive: Duration,
}

impl HttpArgs {
    /// How requests are served. Reads the trusted documents.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn options(&self) -> Result<Options, String> {
        let limits = self.limits.limits();
        let trusted_documents = self.trusted_documents.as_deref();
        let trusted_documents =
            trusted_documents.map(|path| TrustedDocuments::read(path, &limits.query)).transpose()?;
        Ok(Options {
            limits,
            introspection: self.introspection,
            trusted_documents,
            trusted_proxies: self.trusted_proxies.clone(),
            cors_origins: self.cors_origins.clone(),
        })
    }
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        Limits {
            query: QueryLimits {
                tokens: self.max_query_tokens,
                size: self.max_query_size,
                depth: self.max_query_depth,
                aliases: self.max_query_aliases,
                directives: self.max_query_directives,
                complexity: self.max_query_complexity,
            },
            errors: usize::from(self.max_errors),
            body_bytes: self.max_body as usize,
            answer_bytes: self.max_answer as usize,
            memory_bytes: usize::try_from(self.max_memory).unwrap_or(usize::MAX),
            body_time: self.body_timeout,
            init_time: self.init_timeout,
            idle_time: self.idle_timeout,
            write_time: self.write_timeout,
            request_time: self.request_timeout,
            connections: self.max_connections as usize,
            address_connections: self.max_address_connections as usize,
            requests: self.max_requests as usize,
            user_requests: self.max_user_requests as usize,
            user_sockets: self.max_user_sockets as usize,
            user_subscriptions: self.max_user_subscriptions as usize,
            socket_operations: self.max_subscriptions as usize,
            socket_idle_time: self.socket_idle_timeout,
            keep_alive: self.keep_alive,
            user_rate: self.user_rate,
            address_rate: self.address_rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Cli, Command};

    #[test]
    fn defaults_are_the_same_in_both_places() {
        let Command::Serve(serve) = Cli::parse_from(["causerie", "serve"]).command else {
            panic!("it was `serve`")
        };
        let options = serve.http.options().unwrap();
        assert_eq!(format!("{:?}", options.limits), format!("{:?}", Limits::default()));
        assert_eq!(options.introspection, Introspection::On);
        assert!(options.cors_origins.is_empty() && options.trusted_proxies.is_empty());
    }
    #[test]
    fn each_flag_sets_the_limit_that_it_names() {
        // No two of them alike.
        let flags = [
            ("body", "1025"),
            ("query-tokens", "2"),
            ("query-size", "3"),
            ("query-depth", "4"),
            ("query-aliases", "5"),
            ("query-directives", "6"),
            ("query-complexity", "7"),
            ("errors", "8"),
            ("connections", "9"),
            ("address-connections", "23"),
            ("requests", "10"),
            ("user-requests", "11"),
            ("user-sockets", "12"),
            ("user-subscriptions", "13"),
            ("subscriptions", "14"),
            ("answer", "1026"),
            ("memory", "1048577"),
        ];
        let mut arguments = vec!["causerie".to_owned(), "serve".to_owned()];
        arguments.extend(flags.iter().map(|(name, value)| format!("--max-{name}={value}")));
        arguments.extend(["--user-rate=15".to_owned(), "--address-rate=16".to_owned()]);
        for (name, value) in
            [("request", 17), ("body", 18), ("idle", 19), ("socket-idle", 20), ("write", 22), ("init", 24)]
        {
            arguments.push(format!("--{name}-timeout={value}s"));
        }
        arguments.push("--keep-alive=21s".to_owned());
        let Command::Serve(serve) = Cli::parse_from(arguments).command else { panic!("it was `serve`") };
        let limits = Limits {
            query: QueryLimits { tokens: 2, size: 3, depth: 4, aliases: 5, directives: 6, complexity: 7 },
            errors: 8,
            body_bytes: 1025,
            body_time: Duration::from_secs(18),
            init_time: Duration::from_secs(24),
            idle_time: Duration::from_secs(19),
            request_time: Duration::from_secs(17),
            connections: 9,
            address_connections: 23,
            requests: 10,
            user_requests: 11,
            user_sockets: 12,
            user_subscriptions: 13,
            socket_operations: 14,
            socket_idle_time: Duration::from_secs(20),
            keep_alive: Duration::from_secs(21),
            user_rate: 15,
            address_rate: 16,
            answer_bytes: 1026,
            memory_bytes: 1_048_577,
            write_time: Duration::from_secs(22),
        };
        assert_eq!(format!("{:?}", serve.http.options().unwrap().limits), format!("{limits:?}"));
    }
}
