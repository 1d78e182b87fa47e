//! How often each principal may come.

use std::net::IpAddr;
use std::sync::Arc;

use super::cost::Cost;
use super::principal::Principal;
use super::refusal::LimitExceeded;
use crate::rate::RateLimiter;

/// The complexity up to which an operation counts once.
const USUAL_COST: u64 = 1000;

/// The bytes up to which a body or a message on a socket counts once: a long text is read, stored, and its words are
/// found again.
const USUAL_BYTES: usize = 8000;

/// The rates of users and addresses. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    users: Option<Arc<RateLimiter>>,
    addresses: Option<Arc<RateLimiter>>,
}

impl Rates {
    pub(super) fn new(per_user: u32, per_address: u32) -> Self {
        let limiter = |per_second| RateLimiter::new(per_second).map(Arc::new);
        Self { users: limiter(per_user), addresses: limiter(per_address) }
    }

    /// Counts a request of `address`, whoever sent it. Its head has come, and nothing more is known of it.
    pub(crate) fn check_rate(&self, address: IpAddr) -> Result<(), LimitExceeded> {
        self.charge(&Principal::new(None, address), 1)
    }

    /// A body from `address`, of which nothing has come yet.
    pub(crate) fn body(&self, address: IpAddr) -> BodyCharge {
        BodyCharge { rates: self.clone(), principal: Principal::new(None, address), charged: 0 }
    }

    /// Counts a request with so many bytes for its user. Its address has been counted already.
    pub(crate) fn charge_request(&self, principal: &Principal, bytes: usize) -> Result<(), LimitExceeded> {
        match principal {
            Principal::User(_) => self.charge_message(principal, bytes),
            Principal::Address(_) => Ok(()),
        }
    }

    /// Counts a message on a socket, of so many bytes.
    pub(crate) fn charge_message(&self, principal: &Principal, bytes: usize) -> Result<(), LimitExceeded> {
        self.charge(principal, 1)?;
        self.charge(principal, (bytes / USUAL_BYTES) as u64)
    }

    /// Counts an operation again for what it costs more than most: its complexity, or its further mutations if these are
    /// more.
    pub(super) fn charge_cost(&self, principal: &Principal, cost: &Cost) -> Result<(), LimitExceeded> {
        self.charge(principal, (cost.complexity / USUAL_COST).max(cost.mutations.saturating_sub(1)))
    }

    /// The rate of such principals; `None` if they may come any number of times.
    pub(super) fn of(&self, principal: &Principal) -> Option<&Arc<RateLimiter>> {
        match principal {
            Principal::User(_) => self.users.as_ref(),
            Principal::Address(_) => self.addresses.as_ref(),
        }
    }

    fn charge(&self, principal: &Principal, requests: u64) -> Result<(), LimitExceeded> {
        let Some(limiter) = self.of(principal) else { return Ok(()) };
        limiter.check(&principal.key(), requests).map_err(|wait| {
            let whose = match principal {
                Principal::User(_) => "user",
                Principal::Address(_) => "address",
            };
            let message = format!(
                "Too many requests: this {whose} may send {} a second, and large ones count several times. Retry later.",
                limiter.per_second()
            );
            LimitExceeded::rate_limited(message, wait)
        })
    }
}

/// What a body costs its address. The request has counted once; its length counts for more.
#[derive(Debug)]
pub(crate) struct BodyCharge {
    rates: Rates,
    principal: Principal,
    charged: usize,
}

impl BodyCharge {
    /// Counts once more for each 8,000 bytes, now that the body is known to have `bytes`.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        let more = (bytes / USUAL_BYTES).saturating_sub(self.charged);
        self.charged += more;
        self.rates.charge(&self.principal, more as u64)
    }
}
