//! Conversations.

mod compiled;
mod fields;
mod list;
mod mutations;
mod outcome;
mod revision;
mod trash;
mod update;

use std::sync::Arc;

pub(super) use self::list::{ConversationLists, ConversationQueries, ListRequest};
pub(super) use self::mutations::ConversationMutations;
pub(super) use self::trash::TrashMutations;
pub(super) use self::update::UpdateMutations;
use crate::entity::conversation;

#[derive(Clone)]
pub(super) struct Conversation {
    row: Arc<conversation::Model>,
}

impl Conversation {
    /// Its row.
    pub(super) fn row(&self) -> &Arc<conversation::Model> {
        &self.row
    }
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
