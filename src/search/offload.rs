//! Work on texts, which keeps a processor busy, beside the threads that requests run on.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::concurrency::ConcurrencyLimit;
use crate::error::Error;

/// How many bytes of text are worked on where they are: to go elsewhere would take longer.
const SMALL: usize = 8 * 1024;

/// For reading: what many ask for at a time must not hold up what is to be stored.
pub static READING: Workers = Workers::new();

/// For what is to be stored.
pub static STORING: Workers = Workers::new();

/// One piece of work for each user at a time, and half of the processors for all of them: the rest is for short
/// requests.
#[derive(Debug)]
pub struct Workers(LazyLock<Arc<ConcurrencyLimit>>);

/// Tells work whether anybody still waits for it.
#[derive(Debug)]
pub struct Interest<T>(Option<oneshot::Sender<T>>);

impl<T> Interest<T> {
    /// Whether anybody still waits for the result.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.as_ref().is_none_or(|result| !result.is_closed())
    }
}

impl Workers {
    const fn new() -> Self {
        Self(LazyLock::new(|| {
            let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            Arc::new(ConcurrencyLimit::new(1, Some((processors / 2).max(1))))
        }))
    }

    /// Does `work` on texts of this many bytes for `user`, when it is the user's turn. Its place is taken until it has
    /// really ended, also if nobody waits for it any more; work that takes long should ask.
    ///
    /// # Errors
    /// [`Error::Internal`] if `work` panics.
    pub async fn run<T: Send + 'static>(
        &self,
        user: &str,
        bytes: usize,
        work: impl FnOnce(&Interest<T>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        if bytes <= SMALL {
            return Ok(work(&Interest(None)));
        }
        let place = self.0.acquire(user).await;
        let (sender, receiver) = oneshot::channel();
        spawn_blocking(move || {
            let mut interest = Interest(Some(sender));
            let result = work(&interest);
            drop(place);
            if let Some(sender) = interest.0.take() {
                // Nobody may wait any more.
                let _ = sender.send(result);
            }
        });
        receiver.await.map_err(|_| Error::Internal("work on texts has failed".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::error::Code;

    #[tokio::test]
    async fn work_that_nobody_waits_for_keeps_its_place_until_it_ends() {
        assert_eq!(READING.run("eve", 10, |_| 7).await.unwrap(), 7);
        let (begun, begins) = mpsc::channel();
        let first = READING.run("eve", SMALL + 1, move |interest| {
            begun.send(()).unwrap();
            while interest.is_wanted() {
                std::thread::yield_now();
            }
        });
        let given_up = timeout(Duration::from_millis(50), first).await;
        assert!(given_up.is_err());
        begins.recv().unwrap();
        assert_eq!(READING.run("eve", SMALL + 1, |_| 8).await.unwrap(), 8, "it ends as soon as it asks");
        let panicked = READING.run::<()>("eve", SMALL + 1, |_| panic!("on purpose")).await;
        assert_eq!(panicked.unwrap_err().code(), Code::Internal);
        assert_eq!(READING.run("eve", SMALL + 1, |_| 9).await.unwrap(), 9);
    }
}
