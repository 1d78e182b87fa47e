//! Actions that run once a transaction is committed.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The actions of one transaction.
#[derive(Default)]
pub(super) struct AfterCommit(Mutex<Vec<Action>>);

type Action = Box<dyn FnOnce() + Send>;

impl fmt::Debug for AfterCommit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AfterCommit").field("actions", &self.lock().len()).finish()
    }
}

impl AfterCommit {
    pub(super) fn push(&self, action: impl FnOnce() + Send + 'static) {
        self.lock().push(Box::new(action));
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn run(self) {
        for action in self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            action();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Action>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
