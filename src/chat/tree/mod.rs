//! The tree of a conversation's messages: versions, branches, and the active path through them.
//!
//! A message's parent and position never change. Only the set of messages on the active path changes: first messages
//! leave the path, then others enter it. More than [`traversal::STEP`] messages are moved, deleted or copied in [`steps`].

mod activate;
mod branch;
mod delete;
mod edit;
mod fork;
mod regenerate;
mod siblings;
mod steps;
mod title;
mod traversal;
mod version;

pub use self::activate::{ActivateMessage, Activated};
pub use self::delete::{DeleteMessage, Deleted};
pub use self::edit::EditMessage;
pub use self::fork::ForkConversation;
pub use self::regenerate::{RegenerateReply, Regenerated};
pub use self::siblings::{SiblingGroup, SiblingKey, SiblingPage, SiblingRank};
pub(super) use self::steps::ensure_no_steps;
pub use self::steps::resume_steps;
