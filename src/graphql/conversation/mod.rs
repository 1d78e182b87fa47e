//! Conversations.

mod fields;
mod filing;
mod list;
mod mutations;

use std::sync::Arc;

pub(super) use self::filing::FilingMutations;
pub(super) use self::list::{ConversationLists, ConversationQueries};
pub(super) use self::mutations::ConversationMutations;
use crate::entity::conversation;

#[derive(Clone)]
pub(super) struct Conversation {
    row: Arc<conversation::Model>,
}

impl From<Arc<conversation::Model>> for Conversation {
    fn from(row: Arc<conversation::Model>) -> Self {
        Self { row }
    }
}

impl From<conversation::Model> for Conversation {
    fn from(row: conversation::Model) -> Self {
        Arc::new(row).into()
    }
}
