//! Who may go on, and who comes later. Every server counts for itself.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::ServerError;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;
use super::problem::retry;
use crate::auth::{UserId, Viewer};
use crate::error::Code;

/// How many rates are kept at least before those that say nothing any more are thrown away.
const RATES: usize = 4096;

/// The complexity up to which an operation counts once.
const USUAL: u64 = 1000;

/// The bytes up to which a body or a message on a socket counts once: a long text is read, stored, and its words are
/// found again.
const USUAL_BYTES: usize = 8000;

/// How many connections of one address may wait at a time for the rest of requests that nobody reads.
const LINGERING: usize = 100;

/// Who is counted: a user, or an address that nobody has signed in from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    User(UserId),
    Address(IpAddr),
}

impl Who {
    pub(super) fn new(viewer: Option<&Viewer>, address: IpAddr) -> Self {
        match viewer {
            Some(viewer) => Self::User(viewer.user_id().clone()),
            None => Self::Address(network(address)),
        }
    }

    /// A text that stands for nobody else.
    pub(super) fn key(&self) -> String {
        match self {
            Self::User(id) => format!("user {}", id.as_str()),
            Self::Address(address) => format!("address {address}"),
        }
    }
}

/// One customer of IPv6 has a whole network of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    Request,
    Subscription,
    Socket,
    Connection,
    /// A connection that is closed when its client has sent the rest of a request.
    Lingering,
}

/// Why somebody has to wait.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    code: Code,
    message: String,
    retry_after: Duration,
}

impl Refusal {
    /// More of something than there may be.
    pub(super) fn rate_limited(message: String, retry_after: Duration) -> Self {
        Self { code: Code::RateLimited, message, retry_after }
    }

    /// In whole seconds, at least one.
    fn seconds(&self) -> u64 {
        self.retry_after.as_millis().div_ceil(1000).clamp(1, 3600) as u64
    }

    /// The error that a socket sends.
    pub(super) fn error(&self) -> ServerError {
        let mut error = self.code.error(&self.message);
        if let Some(extensions) = &mut error.extensions {
            extensions.set("retryAfter", self.seconds());
        }
        error
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        retry(self.code, &self.message, self.seconds())
    }
}

/// What is going on. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Traffic(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    requests: Arc<Semaphore>,
    held: Mutex<HashMap<(Who, What), usize>>,
    users: Option<Rates>,
    addresses: Option<Rates>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    traffic: Traffic,
    key: (Who, What),
    _among_all: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.traffic.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

impl Traffic {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            limits: limits.clone(),
            requests: Arc::new(Semaphore::new(limits.requests)),
            held: Mutex::default(),
            users: Rates::new(limits.user_rate),
            addresses: Rates::new(limits.address_rate),
        }))
    }

    /// Counts a request of `address`, whoever sent it.
    pub(super) fn knock(&self, address: IpAddr) -> Result<(), Refusal> {
        self.take(&Who::new(None, address), NonZeroU32::MIN)
    }

    /// Counts a request of `who` with a body of this many bytes.
    pub(super) fn count(&self, who: &Who, bytes: usize) -> Result<(), Refusal> {
        match who {
            Who::User(_) => self.hear(who, bytes),
            // The transport has counted the address already.
            Who::Address(_) => Ok(()),
        }
    }

    /// Counts an operation of `who` again for what it costs more than most.
    pub(super) fn charge(&self, who: &Who, complexity: u64) -> Result<(), Refusal> {
        self.take_more(who, complexity / USUAL)
    }

    /// Counts a message of `who` on a socket, of this many bytes.
    pub(super) fn hear(&self, who: &Who, bytes: usize) -> Result<(), Refusal> {
        self.take(who, NonZeroU32::MIN)?;
        self.take_more(who, (bytes / USUAL_BYTES) as u64)
    }

    /// A body from `address`, of which nothing has come yet.
    pub(super) fn weigh(&self, address: IpAddr) -> Weight {
        Weight { traffic: self.clone(), who: Who::new(None, address), counted: 0 }
    }

    /// Counts `more` operations of `who`, which may be none.
    pub(super) fn take_more(&self, who: &Who, more: u64) -> Result<(), Refusal> {
        match NonZeroU32::new(u32::try_from(more).unwrap_or(u32::MAX)) {
            Some(more) => self.take(who, more),
            None => Ok(()),
        }
    }

    fn take(&self, who: &Who, requests: NonZeroU32) -> Result<(), Refusal> {
        match who {
            Who::User(_) => check(self.0.users.as_ref(), who, "this user", requests),
            Who::Address(_) => check(self.0.addresses.as_ref(), who, "this address", requests),
        }
    }

    /// Takes a place.
    pub(super) fn hold(&self, who: Who, what: What) -> Result<Held, Refusal> {
        let limits = &self.0.limits;
        let (maximum, name) = match what {
            What::Request => (limits.user_requests, "requests"),
            What::Subscription => (limits.user_subscriptions, "subscriptions"),
            What::Socket => (limits.user_sockets, "sockets"),
            What::Connection => (limits.address_connections, "connections"),
            What::Lingering => (LINGERING, "connections that are being closed"),
        };
        let among_all = match what {
            What::Request => Some(self.0.requests.clone().try_acquire_owned().map_err(|_| Refusal {
                code: Code::Unavailable,
                message: "The server has as much to do as it can; try again.".to_owned(),
                retry_after: Duration::from_secs(1),
            })?),
            _ => None,
        };
        let key = (who, what);
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(key.clone()).or_insert(0);
        if *count >= maximum {
            if *count == 0 {
                held.remove(&key);
            }
            let message = format!("You may have {maximum} {name} at a time.");
            return Err(Refusal::rate_limited(message, Duration::from_secs(1)));
        }
        *count += 1;
        drop(held);
        Ok(Held { traffic: self.clone(), key, _among_all: among_all })
    }
}

/// A body that arrives. Its request has counted once; its length counts for more.
#[derive(Debug)]
pub(super) struct Weight {
    traffic: Traffic,
    who: Who,
    counted: usize,
}

impl Weight {
    /// Counts once more for each 64 KiB, now that the body is known to have this many bytes.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let more = (bytes / USUAL_BYTES).saturating_sub(self.counted);
        self.counted += more;
        self.traffic.take_more(&self.who, more as u64)
    }
}

/// How often each may come.
#[derive(Debug)]
struct Rates {
    per_second: u32,
    burst: NonZeroU32,
    limiter: RateLimiter<Who, HashMapStateStore<Who>, DefaultClock>,
    /// How many rates there may be before it is tidied again.
    room: AtomicUsize,
}

impl Rates {
    /// `None` for 0, any number.
    fn new(per_second: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        let quota = Quota::per_second(rate).allow_burst(burst);
        Some(Self { per_second, burst, limiter: RateLimiter::hashmap(quota), room: AtomicUsize::new(RATES) })
    }

    /// Throws away the rates that say nothing any more, each time that there are twice as many as were left: all of them
    /// are looked at for it. Tells whether it did.
    fn tidy(&self) -> bool {
        if self.limiter.len() <= self.room.load(Ordering::Relaxed) {
            return false;
        }
        self.limiter.retain_recent();
        self.room.store(RATES.max(2 * self.limiter.len()), Ordering::Relaxed);
        true
    }
}

/// Counts `requests` of `who`.
fn check(rates: Option<&Rates>, who: &Who, name: &str, requests: NonZeroU32) -> Result<(), Refusal> {
    let Some(rates) = rates else { return Ok(()) };
    rates.tidy();
    // What is more than anybody may ever have at once takes all of it, but for the one that the request itself took.
    let most = NonZeroU32::new(rates.burst.get() - 1).unwrap_or(NonZeroU32::MIN);
    let counted = rates.limiter.check_key_n(who, requests.min(most)).unwrap_or(Ok(()));
    counted.map_err(|until| {
        let message = format!("More than {} requests a second came from {name}.", rates.per_second);
        Refusal::rate_limited(message, until.wait_time_from(DefaultClock::default().now()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let traffic = Traffic::new(&Limits { user_sockets: 2, ..Limits::default() });
        let who = || Who::User(UserId::new("ann").unwrap());
        let first = traffic.hold(who(), What::Socket).unwrap();
        let second = traffic.hold(who(), What::Socket).unwrap();
        assert!(traffic.hold(who(), What::Socket).is_err());
        assert!(traffic.hold(Who::User(UserId::new("bob").unwrap()), What::Socket).is_ok());
        drop(first);
        let third = traffic.hold(who(), What::Socket).unwrap();
        drop((second, third));
        assert!(traffic.0.held.lock().unwrap().is_empty());
    }

    #[test]
    fn networks_of_ipv6_count_as_one() {
        let network = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn rates_have_a_burst_and_name_the_time_to_wait() {
        let traffic = Traffic::new(&Limits { address_rate: 2, ..Limits::default() });
        let knock = || traffic.knock("192.0.2.7".parse().unwrap());
        assert!((0..20).all(|_| knock().is_ok()));
        let refusal = knock().unwrap_err();
        assert_eq!((refusal.code, refusal.seconds()), (Code::RateLimited, 1));
        assert!(traffic.knock("192.0.2.8".parse().unwrap()).is_ok());
    }

    #[test]
    fn many_addresses_are_not_looked_through_for_each_of_them() {
        let rates = Rates::new(1).unwrap();
        let tidied = (0..10 * RATES).filter(|number| {
            let address = std::net::Ipv4Addr::from(u32::try_from(*number).unwrap());
            let _ = rates.limiter.check_key(&Who::Address(address.into()));
            rates.tidy()
        });
        assert_eq!(tidied.count(), 4);
    }
}
