//! One user's writes queue here before they take a connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::error::Error;

/// A queue for each user who is writing now. No promise rests on it: across servers it is the account row's
/// lock that puts writes in order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
    outage: Mutex<Option<(Instant, String)>>,
}

impl Turns {
    /// Waits until no other write of `user` is under way in this server.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database was found to be away meanwhile: all who waited for it then
    /// learn of it at once, and not one after another.
    pub(super) async fn take(self: &Arc<Self>, user: &str) -> Result<Turn, Error> {
        let since = Instant::now();
        let queue = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            queues.entry(user.to_owned()).or_default().clone()
        };
        let turn = Turn { guard: Some(queue.lock_owned().await), user: user.to_owned(), turns: self.clone() };
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match &*outage {
            Some((at, cause)) if *at > since => Err(Error::Unavailable(cause.clone())),
            _ => {
                drop(outage);
                Ok(turn)
            }
        }
    }
}

/// The right to write for a user, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    guard: Option<OwnedMutexGuard<()>>,
    user: String,
    turns: Arc<Turns>,
}

impl Turn {
    /// Tells those who wait that the database is away.
    pub(super) fn report_outage(&self, cause: &str) {
        let mut outage = self.turns.outage.lock().unwrap_or_else(PoisonError::into_inner);
        *outage = Some((Instant::now(), cause.to_owned()));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut queues = self.turns.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody but the map holds the queue: nobody writes or waits.
        if queues.get(&self.user).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.user);
        }
    }
}
