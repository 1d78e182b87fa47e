//! Logging an outage once, and not each request that meets it.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often an outage that lasts is logged again.
const REMINDER: Duration = Duration::from_secs(30);

/// How long nothing must have failed until an outage is over: what works and fails in turns is one outage.
const RECOVERY: Duration = Duration::from_secs(5);

/// Something that may be unavailable. It is logged when an outage begins, every 30 s while it lasts, and when it is over.
#[derive(Debug)]
pub(crate) struct Outage {
    what: &'static str,
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    began: Instant,
    logged: Instant,
    last: Instant,
    failures: u64,
}

impl State {
    fn seconds(&self) -> u64 {
        self.last.duration_since(self.began).as_secs()
    }
}

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Began,
    Lasts { failures: u64, seconds: u64 },
    Over { failures: u64, seconds: u64 },
}

impl Outage {
    /// The outages of `what`, a noun that "unavailable" can follow.
    pub(crate) const fn of(what: &'static str) -> Self {
        Self { what, state: Mutex::new(None) }
    }

    /// Notes that it has failed.
    pub(crate) fn failed(&self, cause: impl Display) {
        let what = self.what;
        match self.note_failure(Instant::now()) {
            Some(Line::Lasts { failures, seconds }) => {
                tracing::warn!(%cause, failures, seconds, "{what} still unavailable");
            }
            Some(_) => tracing::warn!(%cause, "{what} unavailable"),
            None => tracing::debug!(%cause, "{what} unavailable"),
        }
    }

    /// Notes that it works.
    pub(crate) fn succeeded(&self) {
        if let Some(Line::Over { failures, seconds }) = self.note_success(Instant::now()) {
            tracing::info!(failures, seconds, "{} available again", self.what);
        }
    }

    fn note_failure(&self, now: Instant) -> Option<Line> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = state.as_mut() else {
            *state = Some(State { began: now, logged: now, last: now, failures: 1 });
            return Some(Line::Began);
        };
        state.failures += 1;
        state.last = now;
        if now.duration_since(state.logged) < REMINDER {
            return None;
        }
        state.logged = now;
        Some(Line::Lasts { failures: state.failures, seconds: state.seconds() })
    }

    fn note_success(&self, now: Instant) -> Option<Line> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let over = state.take_if(|state| now.duration_since(state.last) >= RECOVERY)?;
        Some(Line::Over { failures: over.failures, seconds: over.seconds() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_of_when_it_begins_now_and_then_and_when_it_is_over() {
        let outage = Outage::of("it");
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        assert_eq!(outage.note_success(at(0)), None, "there was none");
        // Ten failures a second for 65 s, with a success between any two.
        let lines: Vec<_> = (0..650)
            .flat_map(|tenth| [outage.note_failure(at(tenth)), outage.note_success(at(tenth))])
            .flatten()
            .collect();
        let lasts = |failures, seconds| Line::Lasts { failures, seconds };
        assert_eq!(lines, [Line::Began, lasts(301, 30), lasts(601, 60)]);
        assert_eq!(outage.note_success(at(690)), None, "it may go on");
        assert_eq!(outage.note_success(at(700)), Some(Line::Over { failures: 650, seconds: 64 }));
        assert_eq!(outage.note_success(at(701)), None);
        assert_eq!(outage.note_failure(at(702)), Some(Line::Began));
    }
}
