//! The text of a reply that this server generates.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::chunk::{CHUNK_BYTES, Chunk};

/// The growing text of one attempt. Each reader reads from its own offset at its own pace, so a slow reader costs no
/// extra memory.
#[derive(Debug)]
pub(super) struct Live {
    attempt: i32,
    text: Mutex<String>,
    extent: watch::Sender<Extent>,
}

/// How long the text is, and whether more may come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// The bytes of text.
    pub(super) length: usize,
    /// Whether this server has stopped generating. The row then has the reply's state.
    pub(super) closed: bool,
}

impl Live {
    pub(super) fn new(attempt: i32) -> Self {
        Self { attempt, text: Mutex::default(), extent: watch::channel(Extent::default()).0 }
    }

    /// Appends text. NUL is left out, as PostgreSQL cannot store it.
    pub(super) fn push(&self, more: &str) {
        let length = {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.extend(more.chars().filter(|c| *c != '\0'));
            text.len()
        };
        self.extent.send_modify(|extent| extent.length = length);
    }

    /// Makes readers go on with the row.
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

    /// The text after `offset` bytes, at most [`CHUNK_BYTES`] of it.
    pub(super) fn chunk(&self, offset: usize) -> Chunk {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = text.as_bytes();
        let end = bytes.len().min(offset.saturating_add(CHUNK_BYTES));
        Chunk::new(bytes.len(), bytes.get(offset..end).unwrap_or_default().to_vec())
    }

    pub(super) fn follow(&self) -> watch::Receiver<Extent> {
        self.extent.subscribe()
    }
}
