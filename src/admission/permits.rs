//! How much of each principal's may be going on at once.

use std::sync::Arc;
use std::time::Duration;

use super::principal::Principal;
use super::refusal::LimitExceeded;
use crate::concurrency::{ConcurrencyLimit, Full, Permit};
use crate::http::Limits;

/// How many connections of one address may wait at a time for the rest of requests that nobody reads.
const LINGERING: usize = 100;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitKind {
    Request,
    Subscription,
    Socket,
    Connection,
    /// A connection that is closed when its client has sent the rest of a request.
    LingeringConnection,
}

/// One limit for each kind. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    requests: Limit,
    subscriptions: Limit,
    sockets: Limit,
    connections: Limit,
    lingering: Limit,
}

#[derive(Clone, Debug)]
struct Limit {
    name: &'static str,
    each: usize,
    permits: Arc<ConcurrencyLimit>,
}

impl Limit {
    fn new(name: &'static str, each: usize, all: Option<usize>) -> Self {
        Self { name, each, permits: Arc::new(ConcurrencyLimit::new(each, all)) }
    }
}

impl Permits {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            requests: Limit::new("requests", limits.user_requests, Some(limits.requests)),
            subscriptions: Limit::new("subscriptions", limits.user_subscriptions, None),
            sockets: Limit::new("WebSockets", limits.user_sockets, None),
            connections: Limit::new("connections", limits.address_connections, None),
            lingering: Limit::new("connections that are being closed", LINGERING, None),
        }
    }

    /// Takes a permit for one more.
    pub(crate) fn acquire(&self, principal: &Principal, kind: LimitKind) -> Result<Permit, LimitExceeded> {
        let limit = match kind {
            LimitKind::Request => &self.requests,
            LimitKind::Subscription => &self.subscriptions,
            LimitKind::Socket => &self.sockets,
            LimitKind::Connection => &self.connections,
            LimitKind::LingeringConnection => &self.lingering,
        };
        limit.permits.try_acquire(&principal.key(), 1).map_err(|full| match full {
            Full::Own => {
                let message = format!(
                    "You may have {} {} at a time; retry when one has ended.",
                    limit.each, limit.name
                );
                LimitExceeded::rate_limited(message, Duration::from_secs(1))
            }
            Full::All => {
                let message =
                    format!("The server is at its limit of concurrent {}; retry shortly.", limit.name);
                LimitExceeded::unavailable("UNAVAILABLE", message)
            }
        })
    }
}
