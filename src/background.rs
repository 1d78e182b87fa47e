//! Work in the background: periodic jobs, and what goes on while its caller does something else.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::error::Error;
use crate::random::jittered;

/// Runs `work` in a task of its own. It goes on while the returned future is not polled, so that it does not keep what it
/// has taken, such as one of its user's few reads, from what its caller does meanwhile. It is given up with that future.
pub(crate) async fn unhindered<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let task = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
    task.await.unwrap_or_else(|error| Err(Error::Internal(format!("a task did not end: {error}"))))
}

/// Runs `pass` about every `period` until `shutdown`, and at once again while it returns `true`, for more to do. Errors
/// are logged, and the next pass tries again.
pub(crate) fn repeat<F>(period: Duration, shutdown: CancellationToken, pass: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = Result<bool, Error>> + Send,
{
    let work = async move {
        loop {
            sleep(jittered(period)).await;
            loop {
                match pass().await {
                    // Let other tasks run between the passes.
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => break,
                    Err(error) => {
                        error.log();
                        break;
                    }
                }
            }
        }
    };
    tokio::spawn(async move { shutdown.run_until_cancelled(work).await });
}
