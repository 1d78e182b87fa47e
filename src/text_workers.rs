//! Work on long texts, done on blocking threads, as it would keep the threads of requests busy.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::concurrency::ConcurrencyLimit;
use crate::error::Error;

/// Shorter texts are worked on in place, as a change of threads would take longer.
const MIN_BYTES: usize = 8 * 1024;

/// For texts that are read. They have workers of their own, so that many reads do not delay what is to be stored.
pub(crate) static READING: Workers = Workers::new();

/// For texts that are to be stored.
pub(crate) static STORING: Workers = Workers::new();

/// Runs one piece of work at a time for each user, on half of the processors at most.
#[derive(Debug)]
pub(crate) struct Workers(LazyLock<Arc<ConcurrencyLimit>>);

/// Tells work whether its caller is gone.
#[derive(Debug)]
pub(crate) struct Cancelled<T>(Option<oneshot::Sender<T>>);

impl<T> Cancelled<T> {
    /// Whether nobody waits for the result any more.
    pub(crate) fn get(&self) -> bool {
        self.0.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

impl Workers {
    const fn new() -> Self {
        Self(LazyLock::new(|| {
            let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            Arc::new(ConcurrencyLimit::new(1, Some((processors / 2).max(1))))
        }))
    }

    /// Runs `work` on texts of `bytes` bytes for `user`. Its permit is held until the work has really ended, even if
    /// the caller is gone: work that takes long should ask whether it is cancelled.
    ///
    /// # Errors
    /// [`Error::Internal`] if `work` panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        user: &str,
        bytes: usize,
        work: impl FnOnce(&Cancelled<T>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        if bytes <= MIN_BYTES {
            return Ok(work(&Cancelled(None)));
        }
        let permit = self.0.acquire(user).await;
        let (sender, receiver) = oneshot::channel();
        spawn_blocking(move || {
            let mut cancelled = Cancelled(Some(sender));
            let result = work(&cancelled);
            drop(permit);
            if let Some(sender) = cancelled.0.take() {
                // The caller may be gone.
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

    #[tokio::test]
    async fn cancelled_work_keeps_its_permit_until_it_ends() {
        assert_eq!(READING.run("eve", 10, |_| 7).await.unwrap(), 7);
        let (begun, begins) = mpsc::channel();
        let first = READING.run("eve", MIN_BYTES + 1, move |cancelled| {
            begun.send(()).unwrap();
            while !cancelled.get() {
                std::thread::yield_now();
            }
        });
        let timed_out = timeout(Duration::from_millis(50), first).await;
        assert!(timed_out.is_err());
        begins.recv().unwrap();
        assert_eq!(READING.run("eve", MIN_BYTES + 1, |_| 8).await.unwrap(), 8, "it ends as soon as it asks");
        let panicked = READING.run::<()>("eve", MIN_BYTES + 1, |_| panic!("on purpose")).await;
        assert_eq!(panicked.unwrap_err().code(), crate::error::Code::Internal);
        assert_eq!(READING.run("eve", MIN_BYTES + 1, |_| 9).await.unwrap(), 9);
    }
}
