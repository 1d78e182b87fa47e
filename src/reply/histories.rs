//! What was said in conversations that go on: kept from one reply to the next, so that it is not read again. A
//! send and the end of its reply are two statements then, in place of three.
//!
//! What is kept with the id of its last message is right whatever becomes of the conversation: the texts of users and of
//! complete replies never change, and neither does what a message follows. So no server needs to have it, or to be told
//! of changes. Of each conversation one is kept. It is forgotten after a while, as the texts may have been deleted.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;
use uuid::Uuid;

use super::history::History;

/// How much memory the histories take at most that are kept, in bytes.
pub(super) const HISTORY_BYTES: usize = 8 << 20;

/// How long a history is kept.
const KEPT: Duration = Duration::from_mins(10);

/// The histories that lead to the newest replies of conversations.
pub(super) struct Histories {
    maximum: usize,
    kept: Mutex<Kept>,
}

struct Kept {
    /// By the id of the conversation.
    histories: LruCache<Uuid, Entry>,
    bytes: usize,
}

struct Entry {
    user: String,
    /// The message that it ends with.
    last: Uuid,
    history: History,
    bytes: usize,
    since: Instant,
}

impl fmt::Debug for Histories {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Histories").field("maximum", &self.maximum).finish_non_exhaustive()
    }
}

impl Histories {
    /// None yet; `maximum` bytes at most.
    pub(super) fn new(maximum: usize) -> Self {
        Self { maximum, kept: Mutex::new(Kept { histories: LruCache::unbounded(), bytes: 0 }) }
    }

    /// Whether a history of a conversation of `user` is kept.
    pub(super) fn has(&self, user: &str, conversation: Uuid) -> bool {
        self.lock().histories.peek(&conversation).is_some_and(|entry| entry.user == user)
    }

    /// Takes the history of a conversation of `user` out, if one is kept that ends with message `last`.
    pub(super) fn take(&self, user: &str, conversation: Uuid, last: Uuid) -> Option<History> {
        let mut kept = self.lock();
        kept.histories.peek(&conversation).filter(|entry| entry.user == user && entry.last == last)?;
        let entry = kept.histories.pop(&conversation)?;
        kept.bytes -= entry.bytes;
        Some(entry.history)
    }

    /// Keeps the history of a conversation of `user`, which ends with message `last`, in place of the oldest ones.
    pub(super) fn keep(&self, user: &str, conversation: Uuid, last: Uuid, history: History) {
        let bytes = size_of::<Entry>() + user.len() + history.memory();
        // One that would push out many others is not worth its place.
        if bytes > self.maximum / 8 {
            return;
        }
        let entry = Entry { user: user.to_owned(), last, history, bytes, since: Instant::now() };
        let mut kept = self.lock();
        kept.bytes += bytes;
        if let Some(earlier) = kept.histories.put(conversation, entry) {
            kept.bytes -= earlier.bytes;
        }
        while kept.bytes > self.maximum {
            kept.forget_oldest();
        }
    }

    /// Forgets those that were kept for long.
    pub(super) fn forget_old(&self, now: Instant) {
        let mut kept = self.lock();
        while kept.histories.peek_lru().is_some_and(|(_, oldest)| now.duration_since(oldest.since) > KEPT) {
            kept.forget_oldest();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.histories.pop_lru() {
            self.bytes -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assistant::Speaker;

    fn history(bytes: usize) -> History {
        let mut history = History::default();
        history.push(Speaker::User, "x".repeat(bytes));
        history
    }

    #[test]
    fn a_history_is_its_users_and_is_taken_once() {
        let histories = Histories::new(HISTORY_BYTES);
        let (conversation, last) = (Uuid::now_v7(), Uuid::now_v7());
        histories.keep("ann", conversation, last, history(10));
        assert_eq!(histories.take("ben", conversation, last), None);
        assert_eq!(histories.take("ann", conversation, Uuid::now_v7()), None, "it is of another branch");
        assert!(histories.has("ann", conversation) && !histories.has("ben", conversation));
        assert_eq!(histories.take("ann", conversation, last), Some(history(10)));
        assert_eq!(histories.take("ann", conversation, last), None);
        assert!(!histories.has("ann", conversation));
        assert_eq!(histories.lock().bytes, 0);
    }

    #[test]
    fn the_bytes_that_are_kept_are_bounded() {
        let histories = Histories::new(100_000);
        let ids: Vec<Uuid> = (0..100).map(|_| Uuid::now_v7()).collect();
        for id in &ids {
            histories.keep("ann", *id, *id, history(5000));
            histories.keep("ann", *id, *id, history(6000));
        }
        let kept = histories.lock();
        let bytes: usize = kept.histories.iter().map(|(_, entry)| entry.bytes).sum();
        assert_eq!(bytes, kept.bytes);
        assert!(bytes <= 100_000 && kept.histories.len() > 10, "{bytes}");
        drop(kept);
        let take = |id: Uuid| histories.take("ann", id, id);
        assert!(take(ids[99]).is_some() && take(ids[0]).is_none());
        histories.keep("ann", ids[0], ids[0], history(20_000));
        assert_eq!(take(ids[0]), None, "it is too long");
    }

    #[test]
    fn a_history_is_forgotten_after_a_while() {
        let histories = Histories::new(HISTORY_BYTES);
        let last = Uuid::now_v7();
        histories.keep("ann", last, last, history(10));
        histories.forget_old(Instant::now());
        assert!(histories.lock().histories.contains(&last));
        histories.forget_old(Instant::now() + KEPT + Duration::from_secs(1));
        assert_eq!((histories.take("ann", last, last), histories.lock().bytes), (None, 0));
    }
}
