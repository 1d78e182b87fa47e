//! How many bytes of text a server holds: bodies that arrive, rows that were read, answers that are not sent yet.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::concurrency::{ConcurrencyLimit, Full, Permit};
use crate::error::Error;
use crate::rate::RateLimiter;

/// What each budget has without asking: answers of the usual size are given however much others hold.
const UNRESERVED_BYTES: usize = 64 * 1024;

/// In what steps a budget reserves more.
const STEP: usize = 256 * 1024;

/// How many holders at least it takes to hold all there is.
const HOLDERS: usize = 4;

/// How many bytes of text a server may hold. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Memory(Arc<ConcurrencyLimit>);

impl Memory {
    /// Room for `bytes`, of which one holder may have a quarter.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(ConcurrencyLimit::new(bytes / HOLDERS / STEP, Some(bytes / STEP))))
    }

    /// An empty budget of `holder`'s that may come to `maximum` bytes.
    #[must_use]
    pub fn budget(&self, holder: &str, maximum: usize) -> MemoryBudget {
        self.rated_budget(holder, maximum, None)
    }

    /// As [`Memory::budget`]; each 256 KiB beyond the first 64 KiB counts once in the holder's `rate`.
    ///
    /// The rate is charged here and not where requests are judged: how much an operation reads is known only while it
    /// reads, and once its answer is there, all that a rate could spare is spent.
    pub(crate) fn rated_budget(
        &self,
        holder: &str,
        maximum: usize,
        rate: Option<Arc<RateLimiter>>,
    ) -> MemoryBudget {
        let state = State { memory: self.clone(), rate, maximum, taken: 0, reserved: Reservation::default() };
        MemoryBudget { holder: holder.into(), state: Arc::new(Mutex::new(state)) }
    }
}

/// How many bytes one operation may hold. Clones share it.
#[derive(Clone)]
pub struct MemoryBudget {
    holder: Arc<str>,
    state: Arc<Mutex<State>>,
}

struct State {
    memory: Memory,
    rate: Option<Arc<RateLimiter>>,
    maximum: usize,
    taken: usize,
    reserved: Reservation,
}

/// Without the holder, who may be a user.
impl fmt::Debug for MemoryBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryBudget").field("taken", &self.taken()).finish_non_exhaustive()
    }
}

impl MemoryBudget {
    /// Whose it is.
    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// An empty budget of the same holder's, for what is held longer.
    #[must_use]
    pub fn another(&self) -> Self {
        let state = self.state();
        state.memory.rated_budget(&self.holder, state.maximum, state.rate.clone())
    }

    /// How many bytes more it may take.
    #[must_use]
    pub fn left(&self) -> usize {
        let state = self.state();
        state.maximum - state.taken
    }

    /// How many bytes it has taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.state().taken
    }

    /// Takes `bytes` more.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if they are more than the budget may come to; [`Error::TooManyBytesInFlight`] if its holder has as
    /// much as one may have, or takes too much in a short time; [`Error::Unavailable`] if the server has as much as it
    /// can.
    pub fn take(&self, bytes: usize) -> Result<(), Error> {
        let mut state = self.state();
        let taken = state.taken.saturating_add(bytes);
        if taken > state.maximum {
            return Err(Error::TooLarge(state.maximum));
        }
        let steps =
            taken.saturating_sub(UNRESERVED_BYTES).div_ceil(STEP).saturating_sub(state.reserved.steps);
        if steps > 0 {
            state.reserve(&self.holder, steps)?;
        }
        state.taken = taken;
        Ok(())
    }

    /// Adds what was reserved in another budget of the same holder's, so that it need not be reserved again.
    pub(crate) fn add(&self, reservation: Reservation) {
        let mut state = self.state();
        state.reserved.steps += reservation.steps;
        state.reserved.permits.extend(reservation.permits);
    }

    /// Empties the budget. What was in it is held until the returned value is dropped.
    #[must_use]
    pub fn release(&self) -> Reservation {
        let mut state = self.state();
        state.taken = 0;
        std::mem::take(&mut state.reserved)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reserve(&mut self, holder: &str, steps: usize) -> Result<(), Error> {
        let weight = u32::try_from(steps).unwrap_or(u32::MAX);
        let permit = self.memory.0.try_acquire(holder, weight).map_err(|full| match full {
            Full::Own => Error::TooManyBytesInFlight,
            Full::All => Error::Unavailable("the memory budget (--max-memory) is used up".to_owned()),
        })?;
        // Only what there is room for counts in the rate, however often it is tried.
        if self.rate.as_ref().is_some_and(|rate| rate.check(holder, steps as u64).is_err()) {
            return Err(Error::TooManyBytesInFlight);
        }
        self.reserved.permits.push(permit);
        self.reserved.steps += steps;
        Ok(())
    }
}

/// A part of a server's memory, until it is dropped.
#[derive(Default)]
pub struct Reservation {
    permits: Vec<Permit>,
    steps: usize,
}

impl fmt::Debug for Reservation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reservation").field("steps", &self.steps).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    const MEGABYTE: usize = 1024 * 1024;

    #[test]
    fn an_operation_a_holder_and_all_have_bounds() {
        let memory = Memory::new(8 * MEGABYTE);
        let budget = memory.budget("ann", MEGABYTE);
        budget.take(MEGABYTE).unwrap();
        assert_eq!(budget.take(1).unwrap_err().code(), Code::AnswerTooLarge);
        let second = memory.budget("ann", 3 * MEGABYTE);
        second.take(MEGABYTE).unwrap();
        assert_eq!(second.take(MEGABYTE).unwrap_err().code(), Code::RateLimited);
        let others = ["bob", "eve", "dan"].map(|name| {
            let budget = memory.budget(name, 2 * MEGABYTE);
            budget.take(2 * MEGABYTE).unwrap();
            budget
        });
        let late = memory.budget("zoe", MEGABYTE);
        late.take(UNRESERVED_BYTES).expect("a little there always is");
        assert_eq!(late.take(MEGABYTE / 2).unwrap_err().code(), Code::Unavailable);
        drop(others);
        late.take(MEGABYTE / 2).unwrap();
    }

    #[test]
    fn what_is_released_is_held_until_it_is_dropped() {
        let memory = Memory::new(4 * MEGABYTE);
        let budget = memory.budget("ann", 2 * MEGABYTE);
        budget.take(MEGABYTE).unwrap();
        let reservation = budget.release();
        assert_eq!(budget.left(), 2 * MEGABYTE);
        assert_eq!(budget.take(MEGABYTE).unwrap_err().code(), Code::RateLimited);
        drop(reservation);
        budget.take(MEGABYTE).unwrap();
    }

    #[test]
    fn what_was_reserved_before_is_not_reserved_again() {
        let memory = Memory::new(4 * MEGABYTE);
        let (budget, other) = (memory.budget("ann", MEGABYTE), memory.budget("ann", MEGABYTE));
        other.take(MEGABYTE).unwrap();
        let reservation = other.release();
        assert_eq!(budget.take(MEGABYTE).unwrap_err().code(), Code::RateLimited);
        budget.add(reservation);
        budget.take(MEGABYTE).unwrap();
        drop(budget.release());
        other.take(MEGABYTE).unwrap();
    }
}
