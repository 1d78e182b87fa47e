//! Leaving the database to others between two pieces of work that keep it busy.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// All heavy work of a server together takes one part in this many of one processor at most.
const PARTS: u32 = 8;

/// The same, while nobody asks the server for anything else.
const IDLE_PARTS: u32 = 4;

/// How long a rest may be: less than the time after which another server goes on with the steps of this one.
const LONGEST: Duration = Duration::from_secs(5);

/// Who does heavy work in this server, and how many tasks of theirs do. Those that rest count, too. The jobs in the
/// background count as one user without a name.
#[derive(Debug, Default)]
pub(crate) struct HeavyWork {
    users: Mutex<HashMap<String, u32>>,
    /// How often anything was asked for, heavy or not.
    asked: AtomicU64,
}

impl HeavyWork {
    /// Notes that `user` does heavy work until the result is dropped.
    pub(crate) fn begin(self: &Arc<Self>, user: &str) -> HeavyTask {
        *self.lock().entry(user.to_owned()).or_default() += 1;
        HeavyTask { user: user.to_owned(), all: self.clone() }
    }

    /// Notes that somebody has asked for something.
    pub(crate) fn note_request(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a piece of `user`'s work fits into the time from its beginning to that of the next one, of which all work
    /// together has one part in `parts`. The users have equal shares, which a user's tasks divide among themselves.
    fn divisor(&self, user: &str, parts: u32) -> u32 {
        let users = self.lock();
        let tasks = users.get(user).copied().unwrap_or(1);
        let count = u32::try_from(users.len()).unwrap_or(u32::MAX);
        parts.saturating_mul(count).saturating_mul(tasks)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that does heavy work, piece by piece.
#[derive(Debug)]
pub(crate) struct HeavyTask {
    user: String,
    all: Arc<HeavyWork>,
}

impl HeavyTask {
    /// A rest for whoever has done the piece of work that `began` then. It counts from now on, not from its first poll.
    pub(crate) fn rest_after(&self, began: Instant) -> impl Future<Output = ()> + Send + use<> {
        let now = Instant::now();
        let [idle, usual] = [IDLE_PARTS, PARTS].map(|parts| now + self.rest(now - began, parts));
        let (all, asked) = (self.all.clone(), self.all.asked.load(Ordering::Relaxed));
        async move {
            sleep_until(idle).await;
            if all.asked.load(Ordering::Relaxed) != asked {
                sleep_until(usual).await;
            }
        }
    }

    /// How long the rest after so much work is.
    fn rest(&self, worked: Duration, parts: u32) -> Duration {
        worked.saturating_mul(self.all.divisor(&self.user, parts) - 1).min(LONGEST)
    }
}

impl Drop for HeavyTask {
    fn drop(&mut self) {
        let mut users = self.all.lock();
        if let Some(tasks) = users.get_mut(&self.user) {
            *tasks -= 1;
            if *tasks == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKED: Duration = Duration::from_millis(10);

    #[test]
    fn all_work_together_takes_an_eighth() {
        let all = Arc::new(HeavyWork::default());
        let ann = all.begin("ann");
        assert_eq!(ann.rest(WORKED, PARTS), 7 * WORKED);
        let ben = [all.begin("ben"), all.begin("ben"), all.begin("ben")];
        // Ann's sixteenth, and three times a 48th.
        assert_eq!(ann.rest(WORKED, PARTS), 15 * WORKED);
        assert_eq!(ben.each_ref().map(|task| task.rest(WORKED, PARTS)), [47 * WORKED; 3]);
        drop(ben);
        assert_eq!(ann.rest(WORKED, PARTS), 7 * WORKED);
        drop(ann);
        assert!(all.lock().is_empty());
    }

    #[test]
    fn a_rest_has_an_end() {
        let all = Arc::new(HeavyWork::default());
        let tasks: Vec<_> = (0..1000).map(|user| all.begin(&user.to_string())).collect();
        assert_eq!(tasks[0].rest(Duration::from_secs(4), PARTS), LONGEST);
    }

    #[tokio::test]
    async fn a_rest_is_shorter_while_nobody_asks_for_anything() {
        let all = Arc::new(HeavyWork::default());
        let ann = all.begin("ann");
        let began = Instant::now().checked_sub(20 * WORKED).unwrap();
        all.note_request();
        let now = Instant::now();
        ann.rest_after(began).await;
        let idle = now.elapsed();
        assert!(idle >= 60 * WORKED && idle < 140 * WORKED, "{idle:?}");

        let now = Instant::now();
        let rest = ann.rest_after(now - 5 * WORKED);
        all.note_request();
        rest.await;
        assert!(now.elapsed() >= 35 * WORKED);
    }
}
