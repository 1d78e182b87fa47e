//! How much of one user's may be under way at once, and of everybody's together.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::rest::{HeavyTask, HeavyWork};

/// A semaphore for each user, or whoever else is counted, and one for all of them.
pub(crate) struct ConcurrencyLimit {
    each: usize,
    all: Option<Arc<Semaphore>>,
    /// Where what users do counts as heavy work, after which they rest before they go on.
    work: Option<Arc<HeavyWork>>,
    users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Without the users.
impl fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ConcurrencyLimit").field("each", &self.each).finish_non_exhaustive()
    }
}

impl ConcurrencyLimit {
    /// At most `each` of one user at once, and `all` of everybody's if it is given.
    pub(crate) fn new(each: usize, all: Option<usize>) -> Self {
        let most = |permits: usize| permits.min(Semaphore::MAX_PERMITS);
        let all = all.map(|all| Arc::new(Semaphore::new(most(all))));
        Self { each: most(each), all, work: None, users: Mutex::default() }
    }

    /// The same, but a user's room is only given back after a rest, during which others go on.
    pub(crate) fn with_rest(self, work: Arc<HeavyWork>) -> Self {
        Self { work: Some(work), ..self }
    }

    /// Waits for room among `user`'s.
    pub(crate) async fn acquire(self: &Arc<Self>, user: &str) -> Permit {
        let (mut permit, permits) = self.begin(user);
        // Neither is ever closed.
        permit.own = permits.acquire_owned().await.ok();
        if let Some(all) = &self.all {
            // Who has many waits with one of them.
            permit.among_all = all.clone().acquire_owned().await.ok();
        }
        permit.work = self.work.as_ref().map(|work| Box::new((work.begin(user), Instant::now())));
        permit
    }

    /// Takes `weight` of `user`'s without waiting.
    ///
    /// # Errors
    /// Which of the two bounds there is no room in.
    pub(crate) fn try_acquire(self: &Arc<Self>, user: &str, weight: u32) -> Result<Permit, Full> {
        let (mut permit, permits) = self.begin(user);
        permit.own = Some(permits.try_acquire_many_owned(weight).map_err(|_| Full::Own)?);
        if let Some(all) = &self.all {
            permit.among_all = Some(all.clone().try_acquire_many_owned(weight).map_err(|_| Full::All)?);
        }
        Ok(permit)
    }

    /// `user`'s semaphore, and a permit that holds nothing yet. It is made first, so that whoever is refused, or gives up
    /// waiting, leaves nothing behind either.
    fn begin(self: &Arc<Self>, user: &str) -> (Permit, Arc<Semaphore>) {
        let new = || Arc::new(Semaphore::new(self.each));
        let permits = self.users().entry(user.to_owned()).or_insert_with(new).clone();
        (
            Permit { own: None, among_all: None, work: None, user: user.to_owned(), limit: self.clone() },
            permits,
        )
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The user has as much as one may.
    Own,
    /// All users together have as much as they may.
    All,
}

/// The right to go on for a user, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    own: Option<OwnedSemaphorePermit>,
    among_all: Option<OwnedSemaphorePermit>,
    /// The heavy work that is followed by a rest, and when it began. Few permits have it, and many futures hold one.
    work: Option<Box<(HeavyTask, Instant)>>,
    user: String,
    limit: Arc<ConcurrencyLimit>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        drop(self.among_all.take());
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            let (work, began) = *work;
            let (own, user, limit) = (self.own.take(), std::mem::take(&mut self.user), self.limit.clone());
            let resting = Self { own, among_all: None, work: None, user, limit };
            let rest = work.rest_after(began);
            runtime.spawn(async move {
                rest.await;
                drop((work, resting));
            });
            return;
        }
        drop(self.own.take());
        let mut users = self.limit.users();
        // Nobody but the map holds it: nobody goes on or waits.
        if users.get(&self.user).is_some_and(|permits| Arc::strong_count(permits) == 1) {
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
        let limit = Arc::new(ConcurrencyLimit::new(2, None));
        let first = limit.acquire("ann").await;
        let second = limit.acquire("ann").await;
        let third = timeout(Duration::from_millis(20), limit.acquire("ann")).await;
        assert!(third.is_err(), "there is room for two");
        drop(limit.acquire("bob").await);
        drop(first);
        let third = limit.acquire("ann").await;
        drop((second, third));
        assert!(limit.users().is_empty());
    }

    #[test]
    fn permits_have_a_weight_and_are_given_back() {
        let limit = Arc::new(ConcurrencyLimit::new(4, Some(6)));
        let first = limit.try_acquire("ann", 3).unwrap();
        assert_eq!(limit.try_acquire("ann", 2).unwrap_err(), Full::Own);
        let second = limit.try_acquire("bob", 3).unwrap();
        assert_eq!(limit.try_acquire("ann", 1).unwrap_err(), Full::All);
        drop(second);
        drop((limit.try_acquire("ann", 1).unwrap(), first));
        assert!(limit.users().is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let limit = Arc::new(ConcurrencyLimit::new(1, None));
        let first = limit.acquire("ann").await;
        let mut second = Box::pin(limit.acquire("ann"));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        drop(second);
        assert!(limit.users().is_empty());
    }

    #[tokio::test]
    async fn a_user_rests_and_others_go_on() {
        let limit = Arc::new(ConcurrencyLimit::new(1, Some(1)).with_rest(Arc::default()));
        let first = limit.acquire("ann").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(first);
        let mut again = Box::pin(limit.acquire("ann"));
        assert!(futures_util::poll!(&mut again).is_pending(), "Ann rests");
        let other = limit.try_acquire("bob", 1);
        assert!(other.is_ok(), "nobody waits for her");
        drop(other);
        let began = Instant::now();
        drop(again.await);
        assert!(began.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn who_has_many_waits_with_one_of_them() {
        let limit = Arc::new(ConcurrencyLimit::new(1, Some(2)));
        let ann = limit.acquire("ann").await;
        let second = tokio::spawn({
            let limit = limit.clone();
            async move { limit.acquire("ann").await }
        });
        tokio::task::yield_now().await;
        let bob = limit.acquire("bob").await;
        let third = timeout(Duration::from_millis(20), limit.acquire("eve")).await;
        assert!(third.is_err(), "there is room for two");
        drop(ann);
        drop((second.await.unwrap(), bob));
        drop(limit.acquire("eve").await);
        assert!(limit.users().is_empty());
    }
}
