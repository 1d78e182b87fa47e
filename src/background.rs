//! Periodic jobs in the background.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::random::jittered;

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
