//! Pauses that differ.

use std::time::Duration;

use uuid::Uuid;

/// About `period`, a fifth more or less: servers that start together should not look together for ever.
pub(crate) fn jittered(period: Duration) -> Duration {
    let random = f64::from(Uuid::now_v7().as_bytes()[15]) / 255.0;
    period.mul_f64(0.8 + 0.4 * random)
}
