//! The tree of a conversation's messages: versions, branches, and which of them the active path shows.
//!
//! A message never moves: its parent and its position stay what they were. What changes is only which messages
//! are on the active path, and that always in the one order: what leaves it first, then what enters it. More than a
//! thousand messages are moved, deleted or copied in [`steps`].

mod activate;
mod branch;
mod climb;
mod delete;
mod edit;
mod fork;
mod regenerate;
mod siblings;
mod steps;
mod title;

pub use self::activate::{ActivateMessage, Activated};
pub use self::delete::{DeleteMessage, Deleted};
pub use self::edit::EditMessage;
pub use self::fork::ForkConversation;
pub use self::regenerate::{RegenerateReply, Regenerated};
pub use self::siblings::{Family, SiblingPage, SiblingPlace, SiblingRank};
pub use self::steps::resume_steps;
pub(super) use self::steps::settled;
