//! How much of the server one client, one user and all of them together may take.

use std::time::Duration;

use crate::admission::QueryLimits;

/// How much of the server one client, one user and all of them together may take. All of it is counted by each
/// server for itself.
#[derive(Clone, Debug)]
pub struct Limits {
    /// What a query may cost.
    pub query: QueryLimits,
    /// How many errors one answer may have; the others are counted in `extensions.omittedErrors`, for which only the
    /// `error` of a WebSocket has no room.
    pub errors: usize,
    /// How many bytes the body of a request, or a message on a WebSocket, may have. Above: 413, or close code 1009.
    pub body_bytes: usize,
    /// How many bytes the texts in one answer, and those read for it, may have in all. More: `ANSWER_TOO_LARGE`.
    pub answer_bytes: usize,
    /// How many bytes the bodies that arrive, and the texts of answers that are not sent yet, may have in all; a quarter
    /// of it for one user, or one address without a user. More: `UNAVAILABLE`, or `RATE_LIMITED`.
    pub memory_bytes: usize,
    /// How long a body may take to arrive. Longer: 408.
    pub body_time: Duration,
    /// How long the `connection_init` of a WebSocket may take to arrive. Longer: close code 4408.
    pub init_time: Duration,
    /// How long a connection may be open without a request in hand, and how long the head of a request may take to
    /// arrive. Longer: the connection is closed.
    pub idle_time: Duration,
    /// How long a client may read nothing of what is sent to it. Longer: the connection is cut.
    pub write_time: Duration,
    /// How long a request may take to be answered; subscriptions excepted. Longer: 503, `TIMEOUT`.
    pub request_time: Duration,
    /// How many connections there may be. More wait to be accepted.
    pub connections: usize,
    /// How many connections one address may have, trusted proxies excepted. More are closed at once.
    pub address_connections: usize,
    /// How many requests may be in hand, streams excepted. More: 503, `UNAVAILABLE`.
    pub requests: usize,
    /// How many requests of one user may be in hand, streams excepted. More: 429, `RATE_LIMITED`.
    pub user_requests: usize,
    /// How many WebSockets one user, or one address without a user, may hold open. More: close code 1013.
    pub user_sockets: usize,
    /// How many subscriptions one user, or one address without a user, may have, on WebSockets and event streams
    /// together. More: `RATE_LIMITED`.
    pub user_subscriptions: usize,
    /// How many operations one WebSocket may have at a time. More: `RATE_LIMITED`.
    pub socket_operations: usize,
    /// How long a WebSocket may be open without an operation. Longer: close code 1000.
    pub socket_idle_time: Duration,
    /// How long a stream or socket may be silent before the server sends a comment or a ping. Three times as long
    /// without a sign of life, and a socket is taken for dead.
    pub keep_alive: Duration,
    /// How many requests a second one user may send on average; ten times as many at once. 0: any number. Each message
    /// on a WebSocket counts as one. More: 429, `RATE_LIMITED`, or close code 1013.
    pub user_rate: u32,
    /// How many requests a second one address may send on average; ten times as many at once. 0: any number.
    pub address_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query: QueryLimits::default(),
            errors: 5,
            body_bytes: 1024 * 1024,
            answer_bytes: 32 * 1024 * 1024,
            memory_bytes: 256 * 1024 * 1024,
            body_time: Duration::from_secs(15),
            init_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(75),
            write_time: Duration::from_secs(30),
            request_time: Duration::from_mins(15),
            connections: 10_000,
            address_connections: 1_000,
            requests: 2_000,
            user_requests: 250,
            user_sockets: 50,
            user_subscriptions: 500,
            socket_operations: 100,
            socket_idle_time: Duration::from_hours(1),
            keep_alive: Duration::from_secs(12),
            user_rate: 50,
            address_rate: 200,
        }
    }
}
