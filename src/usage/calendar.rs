//! The days that usage is counted by.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The calendar in UTC. All copies of it can be shifted, by which tests come to the end of a day or a month.
#[derive(Clone, Debug, Default)]
pub struct Calendar(Arc<AtomicI64>);

impl Calendar {
    /// Shifts the calendar so that `now` becomes `then`, to the second.
    pub fn shift(&self, now: DateTime<Utc>, then: DateTime<Utc>) {
        self.0.store((then - now).num_seconds(), Ordering::SeqCst);
    }

    fn shifted_by(&self) -> TimeDelta {
        TimeDelta::try_seconds(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }

    /// The day of an instant.
    #[must_use]
    pub fn day(&self, instant: DateTime<Utc>) -> NaiveDate {
        (instant + self.shifted_by()).date_naive()
    }

    /// When a day begins.
    #[must_use]
    pub fn start_of(&self, day: NaiveDate) -> DateTime<Utc> {
        day.and_time(NaiveTime::MIN).and_utc() - self.shifted_by()
    }
}
