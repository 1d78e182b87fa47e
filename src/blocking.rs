//! Work that keeps a processor busy, done on blocking threads, as it would keep the threads of requests from small
//! ones.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::concurrency::ConcurrencyLimit;
use crate::error::Error;

/// Less is worked on in place, as a change of threads would take longer.
const MIN_BYTES: usize = 8 * 1024;

/// For documents that are parsed and responses that are written, on all processors.
pub(crate) static TRANSPORT: Workers = Workers(LazyLock::new(|| limit(processors())));

/// For texts that are read. They have workers of their own, so that many reads do not delay what is to be stored.
pub(crate) static READING: Workers = Workers(LazyLock::new(|| limit(processors() / 2)));

/// For texts that are to be stored.
pub(crate) static STORING: Workers = Workers(LazyLock::new(|| limit(processors() / 2)));

/// Runs one piece of work at a time for each principal, so that who has much to do waits for themselves and for nobody
/// else. More at once than there are processors would only take them from small requests.
#[derive(Debug)]
pub(crate) struct Workers(LazyLock<Arc<ConcurrencyLimit>>);

fn limit(all: usize) -> Arc<ConcurrencyLimit> {
    Arc::new(ConcurrencyLimit::new(1, Some(all.max(1))))
}

fn processors() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Tells work whether its caller is gone.
#[derive(Debug)]
pub(crate) struct Cancelled<T>(Option<oneshot::Sender<T>>);

impl<T> Cancelled<T> {
    /// For work that is done in place.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    /// Whether nobody waits for the result any more.
    pub(crate) fn get(&self) -> bool {
        self.0.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// Whether what takes as long as `bytes` bytes take is done in place.
pub(crate) fn is_small(bytes: usize) -> bool {
    bytes <= MIN_BYTES
}

impl Workers {
    /// Runs `work` for `principal`, which takes as long as `bytes` bytes take. Its permit is held until the work has
    /// really ended, even if the caller is gone: work that takes long should ask whether it is cancelled.
    ///
    /// # Errors
    /// [`Error::Internal`] if `work` panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        principal: &str,
        bytes: usize,
        work: impl FnOnce(&Cancelled<T>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        if is_small(bytes) {
            return Ok(work(&Cancelled::never()));
        }
        let permit = self.0.acquire(principal).await;
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
        receiver.await.map_err(|_| Error::Internal("work on a blocking thread has failed".to_owned()))
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

    #[tokio::test]
    async fn who_has_much_to_do_waits_for_themselves_only() {
        let workers = Workers(LazyLock::new(|| limit(2)));
        let (release, released) = mpsc::channel::<()>();
        let first = workers.run("eve", MIN_BYTES + 1, move |_| released.recv().is_ok());
        let mut first = Box::pin(first);
        assert!(timeout(Duration::from_millis(20), &mut first).await.is_err());
        let mut others: Vec<_> =
            (0..20).map(|number| Box::pin(workers.run("eve", MIN_BYTES + 1, move |_| number))).collect();
        for other in &mut others {
            assert!(futures_util::poll!(other).is_pending());
        }
        let bobs = timeout(Duration::from_secs(20), workers.run("bob", MIN_BYTES + 1, |_| 1)).await;
        assert_eq!(bobs.expect("others do not wait for eve").unwrap(), 1);
        release.send(()).unwrap();
        assert!(first.await.unwrap());
        for (number, other) in others.into_iter().enumerate() {
            assert_eq!(other.await.unwrap(), number);
        }
    }
}
