//! Work that keeps a processor busy, beside the threads that requests run on.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many bytes are worked on where they are: to go elsewhere would take longer.
const SMALL: usize = 16 * 1024;

/// One permit for each processor: more threads at once would only take them from small requests.
static PERMITS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZeroUsize::get)));

/// Does `work`, which takes as long as so many bytes take. Large work waits for large work.
pub(crate) async fn run<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes <= SMALL {
        return work();
    }
    // It is never closed.
    let permit = PERMITS.acquire().await.ok();
    let done = spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    match done.await {
        Ok(value) => value,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
