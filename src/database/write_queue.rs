//! Queues in which one user's writes wait before they take a connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use crate::error::Error;

/// A queue for each user who is writing in this server. It only saves connections: the lock of the account row is what
/// orders a user's writes across servers.
#[derive(Debug, Default)]
pub(super) struct WriteQueues(Mutex<HashMap<String, Queue>>);

/// The queue is the mutex. Its value says when and why a write of the user last found the database unreachable.
type Queue = Arc<AsyncMutex<Option<(Instant, String)>>>;

impl WriteQueues {
    /// Waits until no other write of `user` runs in this server.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that takes longer than `patience`, or if an earlier write found the database unreachable
    /// meanwhile. All waiting writes then fail at once, not one after another.
    pub(super) async fn enter(self: &Arc<Self>, user: &str, patience: Duration) -> Result<QueueGuard, Error> {
        let since = Instant::now();
        let queue = self.lock().entry(user.to_owned()).or_default().clone();
        // Made before the wait, so that dropping this future removes an unused queue, too.
        let mut guard = QueueGuard { outage: None, user: user.to_owned(), queues: self.clone() };
        let turn = timeout(patience, queue.lock_owned()).await;
        let busy = |_| Error::Unavailable("earlier writes of the user take too long".to_owned());
        guard.outage = Some(turn.map_err(busy)?);
        match guard.outage.as_deref() {
            Some(Some((at, cause))) if *at > since => Err(Error::Unavailable(cause.clone())),
            _ => Ok(guard),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The permission to write for a user. Dropping it lets the next write go on.
#[derive(Debug)]
pub(super) struct QueueGuard {
    outage: Option<OwnedMutexGuard<Option<(Instant, String)>>>,
    user: String,
    queues: Arc<WriteQueues>,
}

impl QueueGuard {
    /// Makes the waiting writes fail, as the database is unreachable.
    pub(super) fn report_outage(&mut self, cause: &str) {
        if let Some(outage) = &mut self.outage {
            **outage = Some((Instant::now(), cause.to_owned()));
        }
    }
}

impl Drop for QueueGuard {
    fn drop(&mut self) {
        drop(self.outage.take());
        let mut queues = self.queues.lock();
        // Only the map holds the queue, so no write runs or waits.
        if queues.get(&self.user).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_dropped_wait_leaves_no_queue() {
        let queues = Arc::new(WriteQueues::default());
        let first = queues.enter("ann", PATIENCE).await.unwrap();
        let mut second = Box::pin(queues.enter("ann", PATIENCE));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        drop(second);
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn an_outage_fails_the_waiting_writes_and_not_later_ones() {
        let queues = Arc::new(WriteQueues::default());
        let mut first = queues.enter("ann", PATIENCE).await.unwrap();
        let waiting = tokio::spawn({
            let queues = queues.clone();
            async move { queues.enter("ann", PATIENCE).await.map(drop) }
        });
        while Arc::strong_count(&queues.lock()["ann"]) < 3 {
            tokio::task::yield_now().await;
        }
        queues.enter("bob", PATIENCE).await.expect("another user's queue is another");
        first.report_outage("it is away");
        drop(first);
        assert!(waiting.await.unwrap().is_err_and(|error| error.is_unavailable()));
        queues.enter("ann", PATIENCE).await.unwrap();
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn a_write_waits_so_long_and_leaves_the_queue_to_the_others() {
        let queues = Arc::new(WriteQueues::default());
        let first = queues.enter("ann", PATIENCE).await.unwrap();
        let waiting = tokio::spawn({
            let queues = queues.clone();
            async move { queues.enter("ann", PATIENCE).await.map(drop) }
        });
        let late = queues.enter("ann", Duration::from_millis(20)).await;
        assert!(late.is_err_and(|error| error.is_unavailable()));
        assert!(!waiting.is_finished(), "another one is more patient");
        drop(first);
        waiting.await.unwrap().unwrap();
        assert!(queues.lock().is_empty());
    }
}
