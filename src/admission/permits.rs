//! How much of each principal's may be going on at once.

use std::sync::Arc;
use std::time::Duration;

use super::limits::Limits;
use super::principal::Principal;
use super::refusal::LimitExceeded;
use crate::concurrency::{ConcurrencyLimit, Full, Permit};
use crate::error::Code;

/// How many connections of one address may wait at a time for the rest of requests that nobody reads.
const LINGERING: usize = 100;

/// What is limited. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    pub(crate) requests: Limit,
    pub(crate) subscriptions: Limit,
    pub(crate) sockets: Limit,
    socket_operations: usize,
    pub(crate) connections: Limit,
    /// Connections that are closed when their client has sent the rest of a request.
    pub(crate) lingering: Limit,
}

impl Permits {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            requests: Limit::new("requests", limits.user_requests, Some(limits.requests)),
            subscriptions: Limit::new("subscriptions", limits.user_subscriptions, None),
            sockets: Limit::new("WebSockets", limits.user_sockets, None),
            socket_operations: limits.socket_operations,
            connections: Limit::new("connections", limits.address_connections, None),
            lingering: Limit::new("connections that are being closed", LINGERING, None),
        }
    }

    /// Judges one more operation on a socket that has `running` of them. A socket counts its own: nobody else does.
    pub(crate) fn check_socket_operations(&self, running: usize) -> Result<(), LimitExceeded> {
        let maximum = self.socket_operations;
        if running < maximum {
            return Ok(());
        }
        let message =
            format!("A WebSocket may have {maximum} operations at a time; retry when one has ended.");
        Err(LimitExceeded::rate_limited(message, Duration::from_secs(1)))
    }
}

/// How many of one kind there may be.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    name: &'static str,
    each: usize,
    permits: Arc<ConcurrencyLimit>,
}

impl Limit {
    fn new(name: &'static str, each: usize, all: Option<usize>) -> Self {
        Self { name, each, permits: Arc::new(ConcurrencyLimit::new(each, all)) }
    }

    /// Takes a permit for one more.
    pub(crate) fn acquire(&self, principal: &Principal) -> Result<Permit, LimitExceeded> {
        self.permits.try_acquire(&principal.key(), 1).map_err(|full| match full {
            Full::Own => {
                let message =
                    format!("You may have {} {} at a time; retry when one has ended.", self.each, self.name);
                LimitExceeded::rate_limited(message, Duration::from_secs(1))
            }
            Full::All => {
                let message =
                    format!("The server is at its limit of concurrent {}; retry shortly.", self.name);
                LimitExceeded::unavailable(Code::Unavailable, message)
            }
        })
    }
}
