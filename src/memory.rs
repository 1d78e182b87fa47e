//! How much text is in hand: bodies that arrive, rows that were read, answers that are not sent yet.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;

/// What each share has without asking: answers of the usual size are given however much others hold.
const FREE: usize = 64 * 1024;

/// In what steps a share asks for more.
const STEP: usize = 256 * 1024;

/// How many holders at least it takes to hold all there is.
const HOLDERS: usize = 4;

/// How much text a server may have in hand. Cloning it is cheap.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

/// Without the holders, who may be users.
impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Memory").field("bytes", &self.0.bytes).finish_non_exhaustive()
    }
}

struct Inner {
    bytes: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    in_all: usize,
    by_holder: HashMap<Arc<str>, usize>,
}

impl Memory {
    /// Room for `bytes`, of which one holder may have a quarter.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Inner { bytes, held: Mutex::default() }))
    }

    /// An empty share of `holder`'s that may come to `maximum` bytes.
    #[must_use]
    pub fn share(&self, holder: &str, maximum: usize) -> Share {
        self.share_if(holder, maximum, |_| true)
    }

    /// As [`Memory::share`]; beyond the first 64 KiB `may` is asked about each 256 KiB, with the number of those.
    #[must_use]
    pub fn share_if(
        &self,
        holder: &str,
        maximum: usize,
        may: impl Fn(usize) -> bool + Send + Sync + 'static,
    ) -> Share {
        let load = Load { memory: self.clone(), holder: holder.into(), bytes: 0 };
        Share(Arc::new(Mutex::new(State { maximum, taken: 0, load, may: Box::new(may) })))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one operation has in hand. Clones share it.
#[derive(Clone)]
pub struct Share(Arc<Mutex<State>>);

struct State {
    maximum: usize,
    taken: usize,
    load: Load,
    may: Box<dyn Fn(usize) -> bool + Send + Sync>,
}

impl fmt::Debug for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Share").field("taken", &self.state().taken).finish_non_exhaustive()
    }
}

impl Share {
    /// How many bytes more it may take.
    #[must_use]
    pub fn left(&self) -> usize {
        let state = self.state();
        state.maximum - state.taken
    }

    /// Takes `bytes` more.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if they are more than the share may come to; [`Error::TooMuchInHand`] if its holder has as
    /// much as one may have, or takes too much in a short time; [`Error::Unavailable`] if the server has as much as it
    /// can.
    pub fn take(&self, bytes: usize) -> Result<(), Error> {
        let mut state = self.state();
        let taken = state.taken.saturating_add(bytes);
        if taken > state.maximum {
            return Err(Error::TooLarge(state.maximum));
        }
        let missing = taken.saturating_sub(FREE).saturating_sub(state.load.bytes);
        if missing > 0 {
            let steps = missing.div_ceil(STEP);
            if !(state.may)(steps) {
                return Err(Error::TooMuchInHand);
            }
            state.load.grow(steps * STEP)?;
        }
        state.taken = taken;
        Ok(())
    }

    /// Empties the share. What was in it is held until the returned value is dropped.
    #[must_use]
    pub fn hand_over(&self) -> Load {
        let mut state = self.state();
        state.taken = 0;
        let empty = Load { memory: state.load.memory.clone(), holder: state.load.holder.clone(), bytes: 0 };
        std::mem::replace(&mut state.load, empty)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a server's memory, until it is dropped.
pub struct Load {
    memory: Memory,
    holder: Arc<str>,
    bytes: usize,
}

impl fmt::Debug for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Load").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Load {
    fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let maximum = self.memory.0.bytes;
        let mut held = self.memory.held();
        let own = held.by_holder.get(&self.holder).copied().unwrap_or(0);
        if own + bytes > maximum / HOLDERS {
            return Err(Error::TooMuchInHand);
        }
        if held.in_all + bytes > maximum {
            return Err(Error::Unavailable(format!("{} bytes of text are in hand", held.in_all)));
        }
        held.in_all += bytes;
        held.by_holder.insert(self.holder.clone(), own + bytes);
        drop(held);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut held = self.memory.held();
        held.in_all -= self.bytes;
        if let Some(own) = held.by_holder.get_mut(&self.holder) {
            *own -= self.bytes;
            if *own == 0 {
                held.by_holder.remove(&self.holder);
            }
        }
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
        let share = memory.share("ann", MEGABYTE);
        share.take(MEGABYTE).unwrap();
        assert_eq!(share.take(1).unwrap_err().code(), Code::AnswerTooLarge);
        let second = memory.share("ann", 3 * MEGABYTE);
        second.take(MEGABYTE).unwrap();
        assert_eq!(second.take(MEGABYTE).unwrap_err().code(), Code::RateLimited);
        let others: Vec<Share> = ["bob", "eve", "dan"]
            .iter()
            .map(|name| {
                let share = memory.share(name, 2 * MEGABYTE);
                share.take(2 * MEGABYTE).unwrap();
                share
            })
            .collect();
        let late = memory.share("zoe", MEGABYTE);
        late.take(FREE).expect("a little there always is");
        assert_eq!(late.take(MEGABYTE / 2).unwrap_err().code(), Code::Unavailable);
        drop(others);
        late.take(MEGABYTE / 2).unwrap();
    }

    #[test]
    fn what_is_handed_over_is_held_until_it_is_dropped() {
        let memory = Memory::new(8 * MEGABYTE);
        let share = memory.share("ann", 2 * MEGABYTE);
        share.take(MEGABYTE).unwrap();
        let load = share.hand_over();
        assert_eq!(share.left(), 2 * MEGABYTE);
        assert_eq!(memory.held().in_all, MEGABYTE);
        share.take(MEGABYTE).unwrap();
        drop((load, share));
        assert_eq!(memory.held().in_all, 0);
        assert!(memory.held().by_holder.is_empty());
    }
}
