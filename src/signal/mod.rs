//! Wake-ups: "this reply has grown", "this user has changes", "there is a reply to take over".
//!
//! A signal is never the carrier of truth. It may be lost, late or doubled; whoever waits for one looks at the
//! database from time to time all the same.

mod hub;
mod postgres;

use std::fmt;

use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use self::hub::{Hub, Listener};
pub use self::postgres::Postgres;

/// Carries wake-ups to those who listen, in this server and, where the carrier reaches them, in others.
pub trait Signals: fmt::Debug + Send + Sync + 'static {
    /// Wakes those who listen to `topic`. Returns at once; called after the commit, never within.
    fn send(&self, topic: Topic);

    /// Listens to `topic` from now on.
    fn listen(&self, topic: Topic) -> Listener;

    /// Waits until what was sent has left this server, or got lost.
    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a wake-up is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A reply has grown or ended.
    Reply(Uuid),
    /// A reply is to stop.
    Stop(Uuid),
    /// A user's revision was raised; the number is [`Topic::of_user`]'s.
    User(u64),
    /// There are replies without a server to write them.
    Orphans,
    /// There are texts to be indexed.
    Backlog,
}

impl Topic {
    /// The topic of a user's changes: a hash, as a user id may be long, and a collision only wakes in vain.
    #[must_use]
    pub fn of_user(user: &str) -> Self {
        // FNV-1a: every server must come to the same number.
        let hash = user.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self::User(hash)
    }
}
