//! Memory for what is about to be read.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Error;
use crate::memory::MemoryBudget;

/// How long a reader waits for memory, and how often it looks.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(30);
const MEMORY_POLL_PERIOD: Duration = Duration::from_millis(100);

/// Takes `bytes` out of `budget`, and waits while others have too many.
pub(super) async fn take(budget: &MemoryBudget, bytes: usize) -> Result<(), Error> {
    let until = Instant::now() + MEMORY_TIMEOUT;
    loop {
        match budget.take(bytes) {
            Err(Error::Unavailable(_) | Error::TooManyBytesInFlight) if Instant::now() < until => {
                sleep(MEMORY_POLL_PERIOD).await;
            }
            taken => return taken,
        }
    }
}
