//! Whether expired leases mean lost servers, and not a lost database.

use std::time::Duration;

use sea_orm::DbBackend;
use tokio::time::Instant;

use crate::database::OPERATION_TIMEOUT;

/// A shorter time between two answers of the database never counts as an outage, as a busy machine may need as long.
const MIN_GAP: Duration = Duration::from_secs(2);

/// How long a living server may take to extend its leases again that was cut off from PostgreSQL: a statement on a lost
/// connection fails after [`OPERATION_TIMEOUT`], and then another connection is opened.
const RECONNECTION: Duration = OPERATION_TIMEOUT.saturating_add(Duration::from_secs(2));

/// How long the database has answered without a gap. After an outage, or after this server's start, leases of living
/// servers may have expired: those servers get the time of one lease to extend them, and on PostgreSQL at least
/// [`RECONNECTION`]. A server that has just started, or was lucky with its connections, does not see an outage that the
/// others are still in.
#[derive(Debug)]
pub(super) struct Connectivity {
    lease: Duration,
    settling: Duration,
    since: Instant,
    last: Instant,
}

impl Connectivity {
    pub(super) fn new(lease: Duration, backend: DbBackend, now: Instant) -> Self {
        let settling = if backend == DbBackend::Postgres { lease.max(RECONNECTION) } else { lease };
        Self { lease, settling, since: now, last: now }
    }

    /// Notes that the database has answered.
    pub(super) fn succeeded(&mut self, now: Instant) {
        // A lease is extended after a third of its time, so no shorter gap can have made it expire.
        if now - self.last > (self.lease / 2).max(MIN_GAP) {
            self.since = now;
        }
        self.last = now;
    }

    /// Notes that the database did not answer at `instant`, or did not store.
    pub(super) fn failed(&mut self, instant: Instant) {
        self.since = self.since.max(instant);
    }

    /// Whether the database has answered for so long that only a lost server's lease can have expired.
    pub(super) fn is_stable(&self) -> bool {
        self.last.saturating_duration_since(self.since) >= self.settling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_start_and_after_each_outage_a_lease_has_to_pass() {
        let second = Duration::from_secs(1);
        let mut now = Instant::now();
        let mut connectivity = Connectivity::new(10 * second, DbBackend::Postgres, now);
        let mut looks = |connectivity: &mut Connectivity, count: u32, pause: Duration| {
            for _ in 0..count {
                now += pause;
                connectivity.succeeded(now);
            }
            now
        };
        looks(&mut connectivity, 9, second);
        assert!(!connectivity.is_stable());
        let now = looks(&mut connectivity, 1, second);
        assert!(connectivity.is_stable());

        connectivity.failed(now);
        assert!(!connectivity.is_stable());
        looks(&mut connectivity, 9, second);
        assert!(!connectivity.is_stable());
        looks(&mut connectivity, 1, second);
        assert!(connectivity.is_stable());

        // The database did not say no, but nothing at all.
        looks(&mut connectivity, 1, 6 * second);
        assert!(!connectivity.is_stable());
        looks(&mut connectivity, 10, second);
        assert!(connectivity.is_stable());
    }

    #[test]
    fn a_living_server_has_time_to_connect_again_however_short_the_lease_is() {
        let (second, began) = (Duration::from_secs(1), Instant::now());
        let stable_after = |backend, seconds: u32| {
            let mut connectivity = Connectivity::new(second, backend, began);
            (1..=seconds).for_each(|passed| connectivity.succeeded(began + passed * second));
            connectivity.is_stable()
        };
        assert!(!stable_after(DbBackend::Postgres, 5) && stable_after(DbBackend::Postgres, 6));
        assert!(stable_after(DbBackend::Sqlite, 1), "nothing can be cut off from a file");
    }
}
