//! What one user has done takes turns, so that nobody uses up what all need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is under way for each user, or whoever else is counted.
#[derive(Debug)]
pub(crate) struct Lanes {
    width: usize,
    all: Option<Arc<Semaphore>>,
    users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Lanes {
    /// Lanes in which `width` of one user have room side by side, and `all` of everybody's if it is given.
    pub(crate) fn new(width: usize, all: Option<usize>) -> Self {
        Self { width, all: all.map(Semaphore::new).map(Arc::new), users: Mutex::default() }
    }

    /// Waits for room among `user`'s.
    pub(crate) async fn take(self: &Arc<Self>, user: &str) -> Lane {
        let new = || Arc::new(Semaphore::new(self.width));
        let lane = self.users().entry(user.to_owned()).or_insert_with(new).clone();
        // Made before the wait: who gives up waiting leaves nothing behind either.
        let mut taken = Lane { place: None, among_all: None, user: user.to_owned(), lanes: self.clone() };
        // Neither is ever closed.
        taken.place = lane.acquire_owned().await.ok();
        if let Some(all) = &self.all {
            // Who has many waits with one of them.
            taken.among_all = all.clone().acquire_owned().await.ok();
        }
        taken
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to go on for a user, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lane {
    place: Option<OwnedSemaphorePermit>,
    among_all: Option<OwnedSemaphorePermit>,
    user: String,
    lanes: Arc<Lanes>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop((self.among_all.take(), self.place.take()));
        let mut users = self.lanes.users();
        // Nobody but the map holds it: nobody goes on or waits.
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
        let lanes = Arc::new(Lanes::new(2, None));
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

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let lanes = Arc::new(Lanes::new(1, None));
        let first = lanes.take("ann").await;
        let mut second = Box::pin(lanes.take("ann"));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        drop(second);
        assert!(lanes.users().is_empty());
    }

    #[tokio::test]
    async fn who_has_many_waits_with_one_of_them() {
        let lanes = Arc::new(Lanes::new(1, Some(2)));
        let ann = lanes.take("ann").await;
        let second = tokio::spawn({
            let lanes = lanes.clone();
            async move { lanes.take("ann").await }
        });
        tokio::task::yield_now().await;
        let bob = lanes.take("bob").await;
        let third = timeout(Duration::from_millis(20), lanes.take("eve")).await;
        assert!(third.is_err(), "there is room for two");
        drop(ann);
        drop((second.await.unwrap(), bob));
        drop(lanes.take("eve").await);
        assert!(lanes.users().is_empty());
    }
}
