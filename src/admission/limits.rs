//! How much of the server one client, one user and all of them together may take.

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::query_limits::QueryLimits;
use crate::options::{self, at_least, size};

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;

/// No time limit is shorter: nothing could be done within it.
const SHORTEST: Duration = Duration::from_millis(10);

/// How much of the server one client, one user and all of them together may take. Each server counts for itself.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits (each server counts for itself)")]
#[group(skip)]
pub struct Limits {
    /// A request body, or a message on a WebSocket, may have at most this many bytes. A longer one is refused with 413,
    /// or with close code 1009.
    #[arg(long = "max-body", env = "CAUSERIE_MAX_BODY", value_name = "BYTES", default_value_t = 1024 * 1024,
        value_parser = size(KIB..=64 * MIB))]
    pub body_bytes: usize,
    /// What a query may cost.
    #[command(flatten)]
    pub query: QueryLimits,
    /// An answer may have at most this many errors. Others are only counted, in `extensions.omittedErrors`; the `error`
    /// message of a WebSocket has no place for that.
    #[arg(long = "max-errors", env = "CAUSERIE_MAX_ERRORS", value_name = "NUMBER", default_value_t = 5,
        value_parser = size(1..=65_535))]
    pub errors: usize,
    /// The texts in one answer, and those read for it, may have at most this many bytes in all. A larger answer is refused
    /// with `ANSWER_TOO_LARGE`.
    #[arg(long = "max-answer", env = "CAUSERIE_MAX_ANSWER", value_name = "BYTES", default_value_t = 32 * 1024 * 1024,
        value_parser = size(KIB..))]
    pub answer_bytes: usize,
    /// Bodies that are arriving, and texts of answers that are not sent yet, may take at most this many bytes of memory in
    /// all, and a quarter of it for one user, or for one address without a user. More is refused with `UNAVAILABLE`, or with
    /// `RATE_LIMITED`. The process takes a few times as much at worst.
    #[arg(long = "max-memory", env = "CAUSERIE_MAX_MEMORY", value_name = "BYTES", default_value_t = 256 * 1024 * 1024,
        value_parser = RangedU64ValueParser::<usize>::new().range(1024 * 1024..))]
    pub memory_bytes: usize,
    /// The server may have at most this many connections. Others wait to be accepted.
    #[arg(long = "max-connections", env = "CAUSERIE_MAX_CONNECTIONS", value_name = "NUMBER",
        default_value_t = 10_000, value_parser = size(1..=10_000_000))]
    pub connections: usize,
    /// One address may have at most this many connections; an IPv6 network of 64 bits counts as one address. Others are closed
    /// at once. Trusted proxies (`--trusted-proxy`) may have any number.
    #[arg(long = "max-address-connections", env = "CAUSERIE_MAX_ADDRESS_CONNECTIONS", value_name = "NUMBER",
        default_value_t = 1000, value_parser = size(1..=10_000_000))]
    pub address_connections: usize,
    /// The server handles at most this many requests at a time, event streams excepted. Others are refused with 503,
    /// `UNAVAILABLE`, and may be sent again.
    #[arg(long = "max-requests", env = "CAUSERIE_MAX_REQUESTS", value_name = "NUMBER",
        default_value_t = 2000, value_parser = size(1..=10_000_000))]
    pub requests: usize,
    /// One user may have at most this many requests handled at a time, event streams excepted. Others are refused with 429,
    /// `RATE_LIMITED`.
    #[arg(long = "max-user-requests", env = "CAUSERIE_MAX_USER_REQUESTS", value_name = "NUMBER",
        default_value_t = 250, value_parser = size(..))]
    pub user_requests: usize,
    /// One user, or one address without a user, may hold at most this many WebSockets open. Others are closed with code
    /// 1013.
    #[arg(long = "max-user-sockets", env = "CAUSERIE_MAX_USER_SOCKETS", value_name = "NUMBER",
        default_value_t = 50, value_parser = size(..))]
    pub user_sockets: usize,
    /// One user, or one address without a user, may have at most this many subscriptions, on WebSockets and event
    /// streams together. Others are refused with `RATE_LIMITED`.
    #[arg(long = "max-user-subscriptions", env = "CAUSERIE_MAX_USER_SUBSCRIPTIONS", value_name = "NUMBER",
        default_value_t = 500, value_parser = size(..))]
    pub user_subscriptions: usize,
    /// One WebSocket may have at most this many operations at a time. Others are refused with `RATE_LIMITED`.
    #[arg(long = "max-subscriptions", env = "CAUSERIE_MAX_SUBSCRIPTIONS", value_name = "NUMBER",
        default_value_t = 100, value_parser = size(..))]
    pub socket_operations: usize,
    /// One user may send at most this many requests a second on average, and ten times as many at once; 0 for any number. A
    /// request, or a message on a WebSocket, counts once more for each 1000 of its complexity, or for each of its mutations
    /// but the first if these are more, each 8000 of its bytes, and each 256 KiB of the texts in its answer. Others are
    /// refused with 429, `RATE_LIMITED`, or with close code 1013.
    #[arg(long, env = "CAUSERIE_USER_RATE", value_name = "NUMBER", default_value_t = 50)]
    pub user_rate: u32,
    /// One address may send at most this many requests a second on average, and ten times as many at once; 0 for any number. A
    /// request counts once more for each 8000 of its bytes, and one without a user as it does for a user. Others are
    /// refused with 429, `RATE_LIMITED`.
    #[arg(long, env = "CAUSERIE_ADDRESS_RATE", value_name = "NUMBER", default_value_t = 200)]
    pub address_rate: u32,
    /// A request must be answered within this time, subscriptions excepted; it includes the time of the reply if the client
    /// waits for that. Otherwise the answer is 503, `TIMEOUT`.
    #[arg(long = "request-timeout", env = "CAUSERIE_REQUEST_TIMEOUT", value_name = "DURATION",
        default_value = "15m", value_parser = at_least(SHORTEST))]
    pub request_timeout: Duration,
    /// A request body must arrive within this time. A slower one is refused with 408.
    #[arg(long = "body-timeout", env = "CAUSERIE_BODY_TIMEOUT", value_name = "DURATION",
        default_value = "15s", value_parser = at_least(SHORTEST))]
    pub body_timeout: Duration,
    /// The `connection_init` of a WebSocket must arrive within this time. Otherwise the socket is closed with code 4408.
    #[arg(long = "init-timeout", env = "CAUSERIE_INIT_TIMEOUT", value_name = "DURATION",
        default_value = "5s", value_parser = at_least(SHORTEST))]
    pub init_timeout: Duration,
    /// A connection may be open this long without a request, and the head of a request must arrive within this time.
    /// Otherwise the connection is closed. A proxy should close its idle connections sooner.
    #[arg(long = "idle-timeout", env = "CAUSERIE_IDLE_TIMEOUT", value_name = "DURATION",
        default_value = "75s", value_parser = at_least(SHORTEST))]
    pub idle_timeout: Duration,
    /// A client may leave unread for this long what is sent to it. Then its connection is closed.
    #[arg(long = "write-timeout", env = "CAUSERIE_WRITE_TIMEOUT", value_name = "DURATION",
        default_value = "30s", value_parser = at_least(SHORTEST))]
    pub write_timeout: Duration,
    /// A WebSocket may be open this long without an operation. Then it is closed with code 1000.
    #[arg(long = "socket-idle-timeout", env = "CAUSERIE_SOCKET_IDLE_TIMEOUT", value_name = "DURATION",
        default_value = "1h", value_parser = at_least(SHORTEST))]
    pub socket_idle_timeout: Duration,
    /// The server sends a comment on an event stream, or a ping on a WebSocket, after this long without a message. A WebSocket
    /// that sends nothing for three times as long is closed.
    #[arg(long, env = "CAUSERIE_KEEP_ALIVE", value_name = "DURATION", default_value = "12s",
        value_parser = at_least(SHORTEST))]
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        options::defaults()
    }
}
