//! Signals between servers: "this reply has grown", "this user has changes", "there is a reply to take over".
//!
//! A signal carries no data. It may be lost, late or repeated, so listeners also read the database from time to time.
//! The words of a reply that is read on another server are published beside the signals, in the same way: whoever misses
//! some finds them in the database.

mod channel;
mod hub;
mod postgres;

use std::fmt;

use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use self::channel::{Channel, Subscription, TEXT_BYTES};
pub use self::hub::{Hub, Listener};
pub use self::postgres::Postgres;

/// Sends signals to listeners in this server, and in other servers if the implementation reaches them.
pub trait Signals: fmt::Debug + Send + Sync + 'static {
    /// Wakes the listeners of `topic`, and returns at once. It must not be called within a transaction.
    fn send(&self, topic: Topic);

    /// Listens to `topic` from now on.
    fn listen(&self, topic: Topic) -> Listener;

    /// Sends `text` to the subscribers of `channel` in other servers, and returns at once. It has one line of at most
    /// [`TEXT_BYTES`] bytes, and may be lost, late or repeated.
    fn publish(&self, channel: Channel, text: String);

    /// Subscribes to `channel` from now on.
    fn subscribe(&self, channel: Channel) -> Subscription;

    /// Waits until the signals sent so far have left this server or are lost, one second at most.
    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a signal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A reply has begun or ended, or is written by another server.
    Reply(Uuid),
    /// More of a running reply is stored.
    Stored(Uuid),
    /// A reply is to stop.
    Stop(Uuid),
    /// A user's revision was raised; the number is [`Topic::of_user`]'s.
    User(u64),
    /// There are released or queued replies for any server to generate.
    Claimable,
    /// The backlog of the search index has grown.
    Backlog,
}

impl Topic {
    /// The topic of a user's changes. It is a hash, as user ids may be long; a collision only wakes a listener
    /// needlessly.
    #[must_use]
    pub fn of_user(user: &str) -> Self {
        // FNV-1a, as every server must compute the same number.
        let hash = user.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self::User(hash)
    }
}
