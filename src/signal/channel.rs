//! What servers tell each other in so many words.

use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Hub;

/// How many bytes a text may have that is published. PostgreSQL refuses a payload of 8,000 bytes.
pub const TEXT_BYTES: usize = 7_800;

/// How many texts wait for a subscriber. Further ones are lost.
pub(super) const QUEUE_LENGTH: usize = 64;

/// What texts are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Somebody on another server reads a reply; the text says how far.
    Readers(Uuid),
    /// What a reply has brought.
    Words(Uuid),
}

/// Receives the texts of one channel.
#[derive(Debug)]
pub struct Subscription {
    pub(super) receiver: mpsc::Receiver<Arc<str>>,
    pub(super) channel: Channel,
    pub(super) hub: Hub,
}

impl Subscription {
    /// Waits for the next text.
    pub async fn next(&mut self) -> Arc<str> {
        match self.receiver.recv().await {
            Some(text) => text,
            None => std::future::pending().await,
        }
    }

    /// The next text that is there already.
    pub fn try_next(&mut self) -> Option<Arc<str>> {
        self.receiver.try_recv().ok()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.receiver.close();
        self.hub.forget_closed(self.channel);
    }
}
