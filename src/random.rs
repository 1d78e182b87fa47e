//! Random numbers that need not be secret.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

/// A random number from 0 to 1.
pub(crate) fn fraction() -> f64 {
    let mut bytes = [0; 2];
    // Without a random source, pauses are only spread less well.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

/// A random duration of `period` plus or minus a fifth, so that servers that start together do not stay in step.
pub(crate) fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.8 + 0.4 * fraction())
}
