//! Leaving the database to others between two pieces of work that keep it busy.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How many times as long as the work its rest takes: heavy work then takes a quarter of one processor at most.
const RESTS: u32 = 3;

/// How long a rest may be.
const LONGEST: Duration = Duration::from_secs(2);

/// A rest for whoever has worked since `began`. It counts from now on, not from its first poll.
pub(crate) fn rest_after(began: Instant) -> impl Future<Output = ()> + Send + use<> {
    sleep((began.elapsed() * RESTS).min(LONGEST))
}
