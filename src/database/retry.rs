//! Trying again while the database is unavailable.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::OPERATION_TIMEOUT;
use crate::error::Error;

/// How long to wait before another try.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Runs `attempt` again while it fails with [`Error::Unavailable`], until `deadline`.
pub(super) async fn retry_until<T, F>(deadline: Instant, attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut last = None;
    loop {
        match timeout_at(deadline, attempt()).await {
            Ok(Err(error)) if error.is_unavailable() && Instant::now() + RETRY_PAUSE < deadline => {
                last = Some(error);
                sleep(RETRY_PAUSE).await;
            }
            Ok(result) => return result,
            Err(_) => return Err(last.unwrap_or_else(no_answer)),
        }
    }
}

/// Runs `work` for [`OPERATION_TIMEOUT`] at most.
pub(super) async fn within_timeout<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(OPERATION_TIMEOUT, work).await.unwrap_or_else(|_| Err(no_answer()))
}

fn no_answer() -> Error {
    Error::Unavailable(format!("no answer from the database in {OPERATION_TIMEOUT:?}"))
}
