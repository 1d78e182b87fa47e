//! Whether silent servers had a chance to be heard.

use std::time::Duration;

use tokio::time::Instant;

/// No shorter time between two looks at the database counts as an outage: a busy machine may need as long.
const GAP: Duration = Duration::from_secs(2);

/// Since when this server has been in touch with the database without a gap. After an outage, or its own start, all
/// leases may have run out though their servers live: they are given the time of one lease to extend them.
#[derive(Debug)]
pub(super) struct Contact {
    lease: Duration,
    since: Instant,
    last: Instant,
}

impl Contact {
    pub(super) fn new(lease: Duration, now: Instant) -> Self {
        Self { lease, since: now, last: now }
    }

    /// Notes that the database has answered.
    pub(super) fn made(&mut self, now: Instant) {
        // A lease is extended when a third of it is over: a shorter gap cannot have made it run out.
        if now - self.last > (self.lease / 2).max(GAP) {
            self.since = now;
        }
        self.last = now;
    }

    /// Notes that the database did not answer.
    pub(super) fn lost(&mut self, now: Instant) {
        self.since = now;
    }

    /// Whether a server whose lease has run out is silent, and not only the database was.
    pub(super) fn is_settled(&self) -> bool {
        self.last.saturating_duration_since(self.since) >= self.lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_start_and_after_each_outage_a_lease_has_to_pass() {
        let second = Duration::from_secs(1);
        let mut now = Instant::now();
        let mut contact = Contact::new(10 * second, now);
        let mut looks = |contact: &mut Contact, count: u32, pause: Duration| {
            for _ in 0..count {
                now += pause;
                contact.made(now);
            }
            now
        };
        looks(&mut contact, 9, second);
        assert!(!contact.is_settled());
        let now = looks(&mut contact, 1, second);
        assert!(contact.is_settled());

        contact.lost(now);
        assert!(!contact.is_settled());
        looks(&mut contact, 9, second);
        assert!(!contact.is_settled());
        looks(&mut contact, 1, second);
        assert!(contact.is_settled());

        // The database did not say no, but nothing at all.
        looks(&mut contact, 1, 6 * second);
        assert!(!contact.is_settled());
        looks(&mut contact, 10, second);
        assert!(contact.is_settled());
    }
}
