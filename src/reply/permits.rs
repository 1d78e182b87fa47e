//! The permits that limit how many replies this server generates at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The permits of a server. A new reply gets none while queued replies wait for one.
#[derive(Debug)]
pub(super) struct ReplyPermits {
    maximum: usize,
    state: Mutex<State>,
    freed: Notify,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    given: usize,
    /// Whether queued replies wait for a permit, as far as this server knows.
    awaited: bool,
    closed: bool,
}

/// The permission to generate replies in this server, one after another. The server's stop waits until it is dropped.
#[derive(Debug)]
pub(crate) struct ReplyPermit {
    permits: Arc<ReplyPermits>,
    _task: TaskTrackerToken,
}

impl ReplyPermits {
    /// Makes `maximum` permits. Each counts as a task of `tasks` while it is held.
    pub(super) fn new(maximum: usize, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { maximum, state: Mutex::default(), freed: Notify::new(), tasks })
    }

    /// Takes a permit for a new reply. If there is none, the reply is queued and waits for one.
    pub(super) fn take(self: &Arc<Self>) -> Option<ReplyPermit> {
        let mut state = self.state();
        if state.awaited || state.given >= self.maximum {
            state.awaited = true;
            return None;
        }
        self.give(&mut state)
    }

    /// Takes a permit for a queued reply.
    pub(super) fn take_for_queued(self: &Arc<Self>) -> Option<ReplyPermit> {
        let mut state = self.state();
        if state.given >= self.maximum {
            state.awaited = true;
            return None;
        }
        self.give(&mut state)
    }

    fn give(self: &Arc<Self>, state: &mut State) -> Option<ReplyPermit> {
        if state.closed {
            return None;
        }
        state.given += 1;
        Some(ReplyPermit { permits: self.clone(), _task: self.tasks.token() })
    }

    /// Whether the holder of a permit may use it for another reply of the same user; false while other replies wait.
    pub(super) fn may_be_reused(&self) -> bool {
        let state = self.state();
        !state.awaited && !state.closed
    }

    /// How many permits are left.
    pub(super) fn left(&self) -> usize {
        let state = self.state();
        if state.closed { 0 } else { self.maximum.saturating_sub(state.given) }
    }

    /// Notes that no queued reply waits for a permit.
    pub(super) fn clear_awaited(&self) {
        self.state().awaited = false;
    }

    /// Gives out no more permits.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Waits until a permit is dropped while replies wait for one, or until [`Self::recheck`] is called.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Ends the wait in [`Self::freed`], so that queued replies are looked for again.
    pub(super) fn recheck(&self) {
        self.freed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReplyPermit {
    fn drop(&mut self) {
        let mut state = self.permits.state();
        state.given -= 1;
        if state.awaited {
            self.permits.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_new_reply_does_not_overtake_those_that_wait() {
        let permits = ReplyPermits::new(1, TaskTracker::new());
        let first = permits.take().unwrap();
        assert!(permits.may_be_reused(), "nobody waits");
        assert!(permits.take().is_none());
        assert!(!permits.may_be_reused());
        assert!(permits.freed().now_or_never().is_none());
        drop(first);
        assert!(permits.freed().now_or_never().is_some());
        assert!(permits.take().is_none(), "somebody waits");
        let second = permits.take_for_queued().unwrap();
        permits.clear_awaited();
        drop(second);
        assert!(permits.take().is_some());
    }

    #[tokio::test]
    async fn a_stop_waits_for_what_was_permitted_and_permits_nothing_more() {
        let tasks = TaskTracker::new();
        let permits = ReplyPermits::new(2, tasks.clone());
        let permit = permits.take().unwrap();
        permits.close();
        tasks.close();
        assert!(permits.take().is_none() && permits.take_for_queued().is_none());
        assert_eq!(permits.left(), 0);
        assert!(tasks.wait().now_or_never().is_none());
        drop(permit);
        tasks.wait().await;
    }
}
