//! Claims that are under way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The replies, and the users with queued replies, that this server is claiming. A slow claim is not begun again by the
/// next sweep.
#[derive(Clone, Default)]
pub(super) struct PendingClaims(Arc<Mutex<HashSet<String>>>);

impl PendingClaims {
    /// Begins a claim; `None` if the same one is pending.
    pub(super) fn begin(&self, what: &str) -> Option<PendingClaim> {
        let new = self.lock().insert(what.to_owned());
        new.then(|| PendingClaim { pending: self.clone(), what: what.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim that is pending until this is dropped.
pub(super) struct PendingClaim {
    pending: PendingClaims,
    what: String,
}

impl Drop for PendingClaim {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.what);
    }
}
