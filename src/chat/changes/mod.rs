//! What has changed for the viewer, complete and in order.
//!
//! Every write raises the viewer's revision and stamps it on the rows that it touches, one write after another, so
//! the rows with a higher revision than one that a client has seen are exactly what it has missed.
//!
//! A conversation in the trash hides its messages, and a client may pass their revisions meanwhile. The restoration is
//! therefore a change of its own, at the revision at which it happened, whatever became of the conversation since: a
//! client whose cursor is before it reads the messages anew, and one whose cursor is after it was told.

mod feed;
mod statement;

use std::sync::Arc;

use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

use self::statement::{Row, Scope, statement};
use super::{Chat, Page};
use crate::entity::{account, conversation, deleted_message, message};
use crate::error::Error;

/// What part of the memory that an answer may take one page of changes takes when it is read. The rest is for the
/// answer, which has the texts once more.
const PART: usize = 4;

/// A place in the viewer's changes. Several rows may share a revision: within it conversations come before
/// messages, messages before deleted ones, and each in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeCursor {
    /// The revision.
    pub revision: i64,
    /// The table.
    pub kind: ChangeKind,
    /// The row.
    pub id: Uuid,
}

/// The table that a change is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A conversation.
    Conversation,
    /// A message.
    Message,
    /// The tombstone of a message.
    DeletedMessage,
}

/// The columns of a message that may be of any length. Those that are not read are empty in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongColumns {
    /// The text.
    pub content: bool,
    /// The tool calls.
    pub tool_calls: bool,
}

impl LongColumns {
    /// All of them.
    pub const ALL: Self = Self { content: true, tool_calls: true };
}

/// A row that has changed, as it is now.
#[derive(Clone, Debug)]
pub enum Change {
    /// A conversation was started, renamed, deleted, or changed otherwise.
    Conversation(Arc<conversation::Model>),
    /// A conversation was taken out of the trash, and its messages with it: they are no changes of their own, as
    /// that would cost a write of each.
    Restored(Arc<conversation::Model>),
    /// A message was added, a reply has begun or ended, or a message has entered or left the active path. Only these
    /// of its long columns were read.
    Message(Arc<message::Model>, LongColumns),
    /// A message was deleted.
    DeletedMessage(Arc<deleted_message::Model>),
}

impl Change {
    /// The place of this change.
    #[must_use]
    pub fn cursor(&self) -> ChangeCursor {
        let (revision, kind, id) = match self {
            Self::Conversation(row) => (row.revision, ChangeKind::Conversation, row.id),
            Self::Restored(row) => {
                (row.restored_revision.unwrap_or(row.revision), ChangeKind::Conversation, row.id)
            }
            Self::Message(row, _) => (row.revision, ChangeKind::Message, row.id),
            Self::DeletedMessage(row) => (row.revision, ChangeKind::DeletedMessage, row.id),
        };
        ChangeCursor { revision, kind, id }
    }
}

impl Chat {
    /// The place after all that has changed so far.
    pub async fn change_cursor(&self) -> Result<ChangeCursor, Error> {
        let query = account::Entity::find_by_id(self.user()).select_only().column(account::Column::Revision);
        let revision: Option<i64> =
            self.read(|connection| Box::pin(query.clone().into_tuple().one(connection))).await?;
        Ok(ChangeCursor {
            revision: revision.unwrap_or(0),
            kind: ChangeKind::DeletedMessage,
            id: Uuid::max(),
        })
    }

    /// The first `limit` changes after `since`, or from the beginning, in order, as they are at one moment. Each row
    /// is there at most once, at the place of its last change, but that a conversation's restoration has a place of
    /// its own.
    ///
    /// The page ends early where its texts would take too much memory, but has one change at least.
    pub async fn changes(
        &self,
        since: Option<ChangeCursor>,
        limit: u64,
        columns: LongColumns,
    ) -> Result<Page<Change>, Error> {
        self.changes_within(since, limit, columns, usize::MAX).await
    }

    /// As [`Chat::changes`], in pages of about `bytes` at most.
    async fn changes_within(
        &self,
        since: Option<ChangeCursor>,
        limit: u64,
        columns: LongColumns,
        bytes: usize,
    ) -> Result<Page<Change>, Error> {
        let scope = Scope { since, limit, columns, bytes: bytes.min(self.budget.left() / PART) };
        let statement = statement(self.database.backend(), self.user(), &scope);
        let rows: Vec<Arc<Row>> = self.gather(statement).await?;
        let has_next = rows.iter().any(|row| matches!(**row, Row::Next));
        let found = rows.into_iter().filter_map(|row| Arc::into_inner(row)?.into_change(columns));
        let mut changes: Vec<Change> = found.collect();
        changes.sort_by_key(Change::cursor);
        Ok(Page { items: changes, has_previous: since.is_some(), has_next })
    }
}
