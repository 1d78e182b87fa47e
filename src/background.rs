//! Work that runs beside requests.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::random::jittered;

/// Runs `pass` about every `period` until `shutdown`, and at once again after one that tells that there may be more to
/// do. What goes wrong is logged, and tried again the next time.
pub(crate) fn repeat<F>(period: Duration, shutdown: CancellationToken, pass: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = Result<bool, Error>> + Send,
{
    let work = async move {
        loop {
            sleep(jittered(period)).await;
            loop {
                match pass().await {
                    // Others write between the passes.
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
