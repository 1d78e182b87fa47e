//! One user's reads take turns, so that a query of many parts cannot use up the pool.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The reads of each user who is reading now.
#[derive(Debug)]
pub(super) struct Lanes {
    width: usize,
    users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Lanes {
    /// Lanes in which `width` reads of one user have room side by side.
    pub(super) fn new(width: usize) -> Self {
        Self { width, users: Mutex::default() }
    }

    /// Waits for room among `user`'s reads.
    pub(super) async fn take(self: &Arc<Self>, user: &str) -> Lane {
        let new = || Arc::new(Semaphore::new(self.width));
        let lane = self.users().entry(user.to_owned()).or_insert_with(new).clone();
        // It is never closed.
        let place = lane.acquire_owned().await.ok();
        Lane { place, user: user.to_owned(), lanes: self.clone() }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to read for a user, until it is dropped.
#[derive(Debug)]
pub(super) struct Lane {
    place: Option<OwnedSemaphorePermit>,
    user: String,
    lanes: Arc<Lanes>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop(self.place.take());
        let mut users = self.lanes.users();
        // Nobody but the map holds it: nobody reads or waits.
        if users.get(&self.user).is_some_and(|lane| Arc::strong_count(lane) == 1) {
            users.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_user_waits_for_itself_and_for_nobody_else() {
        let lanes = Arc::new(Lanes::new(2));
        let first = lanes.take("ann").await;
        let second = lanes.take("ann").await;
        let third = timeout(Duration::from_millis(20), lanes.take("ann")).await;
        assert!(third.is_err(), "there is room for two");
        drop(lanes.take("bob").await);
        drop(first);
        let third = lanes.take("ann").await;
        drop((second, third));
        assert!(lanes.users().is_empty());
    }
}
