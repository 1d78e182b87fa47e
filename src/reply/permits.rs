//! How many replies this server writes at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The permits of a server. Who has just been asked for a reply gets none while older replies wait for one.
#[derive(Debug)]
pub(super) struct Permits {
    maximum: usize,
    state: Mutex<State>,
    freed: Notify,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    given: usize,
    /// Whether replies wait for a permit, as far as this server knows.
    awaited: bool,
    closed: bool,
}

/// The right to write one reply after another in this server, until it is dropped. The server's stop waits for that.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Arc<Permits>,
    _task: TaskTrackerToken,
}

impl Permits {
    /// `maximum` permits, counted among `tasks` while they are held.
    pub(super) fn new(maximum: usize, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { maximum, state: Mutex::default(), freed: Notify::new(), tasks })
    }

    /// A permit for a reply that is being asked for. If there is none, the reply is one that waits.
    pub(super) fn take(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state();
        if state.awaited || state.given >= self.maximum {
            state.awaited = true;
            return None;
        }
        self.give(&mut state)
    }

    /// A permit for a reply whose turn it is among those that wait.
    pub(super) fn take_in_turn(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state();
        if state.given >= self.maximum {
            state.awaited = true;
            return None;
        }
        self.give(&mut state)
    }

    fn give(self: &Arc<Self>, state: &mut State) -> Option<Permit> {
        if state.closed {
            return None;
        }
        state.given += 1;
        Some(Permit { permits: self.clone(), _task: self.tasks.token() })
    }

    /// Whether whoever holds a permit may use it for one more reply: not while others wait for it.
    pub(super) fn may_be_kept(&self) -> bool {
        let state = self.state();
        !state.awaited && !state.closed
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        let state = self.state();
        if state.closed { 0 } else { self.maximum.saturating_sub(state.given) }
    }

    /// Notes that no reply waits for a permit.
    pub(super) fn forget_waiting(&self) {
        self.state().awaited = false;
    }

    /// Gives no more.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Waits until a permit that is waited for was given back, or [`Self::look_again`] was called.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Has whoever waits in [`Self::freed`] look for replies that wait.
    pub(super) fn look_again(&self) {
        self.freed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
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
        let permits = Permits::new(1, TaskTracker::new());
        let first = permits.take().unwrap();
        assert!(permits.may_be_kept(), "nobody waits");
        assert!(permits.take().is_none());
        assert!(!permits.may_be_kept());
        assert!(permits.freed().now_or_never().is_none());
        drop(first);
        assert!(permits.freed().now_or_never().is_some());
        assert!(permits.take().is_none(), "somebody waits");
        let second = permits.take_in_turn().unwrap();
        permits.forget_waiting();
        drop(second);
        assert!(permits.take().is_some());
    }

    #[tokio::test]
    async fn a_stop_waits_for_what_was_permitted_and_permits_nothing_more() {
        let tasks = TaskTracker::new();
        let permits = Permits::new(2, tasks.clone());
        let permit = permits.take().unwrap();
        permits.close();
        tasks.close();
        assert!(permits.take().is_none() && permits.take_in_turn().is_none());
        assert_eq!(permits.left(), 0);
        assert!(tasks.wait().now_or_never().is_none());
        drop(permit);
        tasks.wait().await;
    }
}
