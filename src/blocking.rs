//! Work that keeps a processor busy, beside the threads that requests run on.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

/// How many bytes are worked on where they are: to go elsewhere would take longer.
const SMALL: usize = 16 * 1024;

/// Does `work`, which takes as long as so many bytes take.
pub(crate) async fn run<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes <= SMALL {
        return work();
    }
    match spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
