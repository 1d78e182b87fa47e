//! The text of a reply that this server is writing.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One attempt's text as it grows. Readers come for what is past their own place, each at its own pace: a slow
/// one costs nothing but the text that is held anyway.
#[derive(Debug)]
pub(super) struct Live {
    attempt: i32,
    text: Mutex<String>,
    length: watch::Sender<usize>,
    stop: CancellationToken,
}

impl Live {
    pub(super) fn new(attempt: i32) -> Self {
        Self { attempt, text: Mutex::default(), length: watch::channel(0).0, stop: CancellationToken::new() }
    }

    /// Appends what the assistant wrote. PostgreSQL cannot store NUL, so it is left out for everyone.
    pub(super) fn push(&self, more: &str) {
        let length = {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.extend(more.chars().filter(|c| *c != '\0'));
            text.len()
        };
        self.length.send_replace(length);
    }

    pub(super) fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn len(&self) -> usize {
        *self.length.borrow()
    }

    /// What is past `offset` bytes; `None` if there is not so much text.
    pub(super) fn text_after(&self, offset: usize) -> Option<String> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.get(offset..).map(str::to_owned)
    }

    pub(super) fn attempt(&self) -> i32 {
        self.attempt
    }

    /// Tells when the text grows, and when this server stops writing it.
    pub(super) fn follow(&self) -> watch::Receiver<usize> {
        self.length.subscribe()
    }

    /// Cancelled when the user wants the reply to stop.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}
