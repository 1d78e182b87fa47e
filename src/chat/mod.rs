//! What a viewer may do: every query and every rule.
//!
//! [`Chat`] is the only door to the rows, and it cannot be made without a viewer: whoever holds one reads and
//! writes that viewer's rows, and has no way to name anybody else's.

mod conversations;
mod messages;
mod page;
mod send;
mod span;
mod text;

use uuid::Uuid;

pub use self::page::{ConversationCursor, Page, Slice};
pub use self::send::{SendMessage, Sent};
pub use self::span::Span;
use crate::auth::Viewer;
use crate::database::Database;
use crate::entity::message;
use crate::error::Error;
use crate::reply::Replies;

/// The bounds on what a viewer may store.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many characters a message may have.
    pub message_chars: usize,
}

/// One viewer's conversations.
#[derive(Clone, Debug)]
pub struct Chat {
    database: Database,
    replies: Replies,
    limits: Limits,
    viewer: Viewer,
}

impl Chat {
    /// Opens `viewer`'s conversations.
    #[must_use]
    pub fn new(database: Database, replies: Replies, limits: Limits, viewer: Viewer) -> Self {
        Self { database, replies, limits, viewer }
    }

    /// Whose conversations these are.
    #[must_use]
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    fn user(&self) -> &str {
        self.viewer.id()
    }

    /// Waits until a reply has ended, whichever server writes it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply, or no longer.
    pub async fn reply_ended(&self, id: Uuid) -> Result<message::Model, Error> {
        self.replies.ended(self.user(), id).await
    }
}
