//! The text of a reply that this server is writing.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::piece::{PIECE, Piece};

/// One attempt's text as it grows. Readers come for what is past their own place, each at its own pace: a slow
/// one costs nothing but the text, which is held anyway.
#[derive(Debug)]
pub(super) struct Live {
    attempt: i32,
    text: Mutex<String>,
    extent: watch::Sender<Extent>,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// Bytes of text.
    pub(super) length: usize,
    /// Whether this server has stopped writing, for whatever reason: the row says what became of the reply.
    pub(super) closed: bool,
}

impl Live {
    pub(super) fn new(attempt: i32) -> Self {
        Self { attempt, text: Mutex::default(), extent: watch::channel(Extent::default()).0 }
    }

    /// Appends what the assistant wrote. PostgreSQL cannot store NUL, so it is left out for everyone.
    pub(super) fn push(&self, more: &str) {
        let length = {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.extend(more.chars().filter(|c| *c != '\0'));
            text.len()
        };
        self.extent.send_modify(|extent| extent.length = length);
    }

    /// Sends readers to the row.
    pub(super) fn close(&self) {
        self.extent.send_modify(|extent| extent.closed = true);
    }

    pub(super) fn attempt(&self) -> i32 {
        self.attempt
    }

    pub(super) fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn len(&self) -> usize {
        self.extent.borrow().length
    }

    /// What is past `offset` bytes, at most [`PIECE`] of them.
    pub(super) fn piece(&self, offset: usize) -> Piece {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = text.as_bytes();
        let end = bytes.len().min(offset.saturating_add(PIECE));
        Piece::new(bytes.len(), bytes.get(offset..end).unwrap_or_default().to_vec())
    }

    pub(super) fn follow(&self) -> watch::Receiver<Extent> {
        self.extent.subscribe()
    }
}
