//! The slot of another version of a message.

use sea_orm::sea_query::{Expr, SimpleExpr};
use uuid::Uuid;

use super::super::new_message::Slot;
use super::super::path::path_changed;
use super::super::{Chat, OnBusy};
use super::steps::set_target;
use crate::database::Write;
use crate::entity::conversation::{self, Column};
use crate::entity::message;
use crate::error::Error;

/// The active path once the other version is on it.
pub(super) struct NewPath {
    /// Its last message.
    pub(super) end: Option<Uuid>,
    /// Its length.
    pub(super) length: i64,
    /// The position up to which it is read.
    pub(super) read: SimpleExpr,
}

impl Chat {
    /// Ends the active path before `old`, and makes a slot there for another version. If that takes more than one
    /// step, the path is only set to its end after the commit.
    pub(super) async fn version_slot(
        &self,
        write: &Write,
        old: &message::Model,
        path: NewPath,
        on_busy: OnBusy,
    ) -> Result<(conversation::Model, Slot), Error> {
        let (parent, length) = (old.parent_id, old.position - 1);
        let branch_point = self.branch_point(write, old.conversation_id, parent, length).await?;
        let ancestor = branch_point.ancestor(parent, length).ok();
        let mut changes = vec![(Column::UpdatedAt, Expr::value(write.now))];
        match (ancestor, path.end) {
            (None, Some(end)) => changes.extend(set_target(write, end, Some(path.read))),
            _ => changes.extend([
                (Column::LastPosition, Expr::value(path.length)),
                (Column::ReadPosition, path.read),
            ]),
        }
        if ancestor.is_some_and(|ancestor| branch_point.moved(length, ancestor) > 0) {
            changes.push(path_changed(write));
        }
        let conversation = self.update_conversation(write, old.conversation_id, changes).await?;
        let outcome = self.apply_on_busy(write, conversation.id, branch_point.busy, on_busy).await?;
        if let Some(ancestor) = ancestor {
            self.set_active_path(write, conversation.id, parent, length, ancestor).await?;
        }
        let slot = Slot { parent, position: old.position, busy: outcome.busy, active: ancestor.is_some() };
        Ok((conversation, slot))
    }
}
