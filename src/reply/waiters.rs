//! Who waits for the end of replies that this server writes. They are given the row that was stored, so that the end of
//! a reply costs no reading of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use crate::entity::message;

/// The replies that this server writes or is about to write, each with those who wait for its end.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<HashMap<Uuid, Arc<Awaited>>>);

#[derive(Debug)]
struct Awaited {
    user: String,
    end: watch::Sender<Option<Arc<message::Model>>>,
}

impl Waiters {
    /// Lets callers wait for the end of `reply` until the returned value is dropped.
    pub(super) fn expect(self: &Arc<Self>, reply: &message::Model) -> ExpectedEnd {
        let awaited = Arc::new(Awaited { user: reply.user_id.clone(), end: watch::Sender::new(None) });
        self.lock().insert(reply.id, awaited.clone());
        ExpectedEnd { waiters: self.clone(), id: reply.id, awaited }
    }

    /// The coming end of a reply of `user`; `None` if this server does not write it.
    pub(super) fn end_of(&self, user: &str, id: Uuid) -> Option<ComingEnd> {
        let awaited = self.lock().get(&id)?.clone();
        (awaited.user == user).then(|| ComingEnd(awaited.end.subscribe()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Awaited>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to tell of a reply's end.
#[derive(Debug)]
pub(super) struct ExpectedEnd {
    waiters: Arc<Waiters>,
    id: Uuid,
    awaited: Arc<Awaited>,
}

impl ExpectedEnd {
    /// Gives the stored row to those who wait, if there are any.
    pub(super) fn tell(&self, row: impl FnOnce() -> Option<message::Model>) {
        if self.awaited.end.receiver_count() > 0
            && let Some(row) = row()
        {
            self.awaited.end.send_replace(Some(Arc::new(row)));
        }
    }
}

impl Drop for ExpectedEnd {
    fn drop(&mut self) {
        let mut replies = self.waiters.lock();
        // It may be of the next attempt, which this server writes as well.
        if replies.get(&self.id).is_some_and(|awaited| Arc::ptr_eq(awaited, &self.awaited)) {
            replies.remove(&self.id);
        }
    }
}

/// The end of a reply that this server writes.
pub(super) struct ComingEnd(watch::Receiver<Option<Arc<message::Model>>>);

impl ComingEnd {
    /// Waits until this server no longer writes the reply. Returns the row if it was stored with its end; else what
    /// became of the reply is in the database.
    pub(super) async fn come(mut self) -> Option<message::Model> {
        let row = self.0.wait_for(Option::is_some).await.ok()?.clone();
        row.map(Arc::unwrap_or_clone)
    }
}
