//! Chance, where it need not be a secret.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

/// A number from 0 to 1.
pub(crate) fn fraction() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness pauses are merely less well spread.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

/// About `period`, a fifth more or less: servers that start together should not look together for ever.
pub(crate) fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.8 + 0.4 * fraction())
}
