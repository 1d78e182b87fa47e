//! Work that goes on when its caller is gone.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;
use tracing::Instrument;

use super::Database;
use crate::error::Error;

/// Lets detached work answer its caller before it ends.
pub(super) struct EarlyAnswer(Mutex<Option<oneshot::Sender<Error>>>);

impl EarlyAnswer {
    /// Fails the caller's request with `error`, unless that was done before. The work goes on.
    pub(super) fn fail(&self, error: &Error) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The caller may be gone.
            let _ = sender.send(error.clone());
        }
    }
}

impl Database {
    /// Runs `work` in a task of its own, so that dropping the returned future does not drop the work. The caller may be
    /// answered `early`.
    pub(super) async fn run_detached<T, F>(
        &self,
        early: bool,
        work: impl FnOnce(EarlyAnswer) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (sender, failed) = oneshot::channel();
        let answer = EarlyAnswer(Mutex::new(early.then_some(sender)));
        let task = self.tasks.spawn(work(answer).in_current_span());
        tokio::select! {
            biased;
            result = task => {
                result.unwrap_or_else(|error| Err(Error::Internal(format!("a write did not end: {error}"))))
            }
            Ok(error) = failed => Err(error),
        }
    }
}
