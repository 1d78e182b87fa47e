//! Actions that run once a transaction is committed.

use std::fmt;
use std::mem;
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
        let actions = mem::take(&mut *self.lock());
        actions.into_iter().for_each(|action| action());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Action>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
