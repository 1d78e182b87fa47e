//! How often each may do something.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter as Governor};

/// How many rates are kept at least before those that say nothing any more are thrown away.
const RATES: usize = 4096;

/// How many seconds' worth may come at once.
const BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// A rate for each key.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: NonZeroU32,
    governor: Governor<String, HashMapStateStore<String>, DefaultClock>,
    /// How many rates there may be before they are tidied again.
    room: AtomicUsize,
}

impl RateLimiter {
    /// So many a second on average, ten times as many at once. `None` for 0, which is any number.
    pub(crate) fn new(per_second: u32) -> Option<Self> {
        let per_second = NonZeroU32::new(per_second)?;
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_mul(BURST));
        Some(Self { per_second, governor: Governor::hashmap(quota), room: AtomicUsize::new(RATES) })
    }

    /// How many a second it is.
    pub(crate) fn per_second(&self) -> NonZeroU32 {
        self.per_second
    }

    /// Counts `number` of `key`'s, which may be none.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn check(&self, key: &str, number: u64) -> Result<(), Duration> {
        let Some(number) = NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)) else { return Ok(()) };
        self.tidy();
        // What is more than may ever come at once takes all of it, but for the one that a request itself has taken.
        let most = self.per_second.saturating_mul(BURST).get() - 1;
        let number = number.min(NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN));
        let counted = self.governor.check_key_n(&key.to_owned(), number).unwrap_or(Ok(()));
        counted.map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }

    /// Throws away the rates that say nothing any more, each time that there are twice as many as were left: all of them
    /// are looked at for it. Tells whether it did.
    fn tidy(&self) -> bool {
        if self.governor.len() <= self.room.load(Ordering::Relaxed) {
            return false;
        }
        self.governor.retain_recent();
        self.room.store(RATES.max(2 * self.governor.len()), Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_a_burst_and_name_the_time_to_wait() {
        let rates = RateLimiter::new(2).unwrap();
        assert!((0..20).all(|_| rates.check("ann", 1).is_ok()));
        assert!(rates.check("ann", 1).unwrap_err() <= Duration::from_millis(500));
        assert!(rates.check("ann", 0).is_ok());
        assert!(rates.check("bob", 1000).is_ok(), "more than may ever come takes all there is");
        assert!(RateLimiter::new(0).is_none());
    }

    #[test]
    fn many_keys_are_not_looked_through_for_each_of_them() {
        let rates = RateLimiter::new(1).unwrap();
        let tidied = (0..10 * RATES).filter(|number| {
            let _ = rates.governor.check_key(&number.to_string());
            rates.tidy()
        });
        assert_eq!(tidied.count(), 4);
    }
}
