//! One user's writes queue here before they take a connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::error::Error;

/// A queue for each user who is writing now. No promise rests on it: across servers it is the account row's
/// lock that puts writes in order.
#[derive(Debug, Default)]
pub(super) struct WriteQueues(Mutex<HashMap<String, Queue>>);

/// When a user's write last found the database away, and why; its lock is the queue.
type Queue = Arc<AsyncMutex<Option<(Instant, String)>>>;

impl WriteQueues {
    /// Waits until no other write of `user` is under way in this server.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a write before this one found the database away meanwhile: all who waited for it
    /// then learn of it at once, and not one after another.
    pub(super) async fn enter(self: &Arc<Self>, user: &str) -> Result<QueuePlace, Error> {
        let since = Instant::now();
        let queue = self.lock().entry(user.to_owned()).or_default().clone();
        // Made before the wait: who gives up waiting leaves nothing behind either.
        let mut place = QueuePlace { outage: None, user: user.to_owned(), queues: self.clone() };
        place.outage = Some(queue.lock_owned().await);
        match place.outage.as_deref() {
            Some(Some((at, cause))) if *at > since => Err(Error::Unavailable(cause.clone())),
            _ => Ok(place),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write for a user, until it is dropped.
#[derive(Debug)]
pub(super) struct QueuePlace {
    outage: Option<OwnedMutexGuard<Option<(Instant, String)>>>,
    user: String,
    queues: Arc<WriteQueues>,
}

impl QueuePlace {
    /// Tells those who wait behind this one that the database is away.
    pub(super) fn report_outage(&mut self, cause: &str) {
        if let Some(outage) = &mut self.outage {
            **outage = Some((Instant::now(), cause.to_owned()));
        }
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        drop(self.outage.take());
        let mut queues = self.queues.lock();
        // Nobody but the map holds the queue: nobody writes or waits.
        if queues.get(&self.user).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let queues = Arc::new(WriteQueues::default());
        let first = queues.enter("ann").await.unwrap();
        let mut second = Box::pin(queues.enter("ann"));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        drop(second);
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn those_who_wait_learn_of_an_outage_and_those_who_come_later_try_for_themselves() {
        let queues = Arc::new(WriteQueues::default());
        let mut first = queues.enter("ann").await.unwrap();
        let waiting = tokio::spawn({
            let queues = queues.clone();
            async move { queues.enter("ann").await.map(drop) }
        });
        while Arc::strong_count(&queues.lock()["ann"]) < 3 {
            tokio::task::yield_now().await;
        }
        queues.enter("bob").await.expect("another user's queue is another");
        first.report_outage("it is away");
        drop(first);
        assert!(waiting.await.unwrap().is_err_and(|error| error.is_unavailable()));
        queues.enter("ann").await.unwrap();
        assert!(queues.lock().is_empty());
    }
}
