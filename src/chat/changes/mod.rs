//! The viewer's changes, complete and in order.
//!
//! Every write raises the viewer's revision and stores it in the rows that it touches, and one user's writes run one
//! after another. The rows with a higher revision than a client has seen are therefore exactly what it has missed.
//!
//! A conversation in the trash hides its messages, and a client's cursor may pass their revisions meanwhile. The
//! restoration is therefore a change of its own, at the revision at which it happened, whatever the conversation's
//! later changes: a client whose cursor is before it reads the messages again, and one whose cursor is after it has
//! received it.
//!
//! In the same way a conversation's row says when its active path was last changed other than by new and deleted
//! messages, so that activating another version is one change, however many messages it moves.

mod feed;
mod replies;
mod statement;

use std::sync::Arc;

use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

pub use self::replies::{FeedContent, FeedEvent};
use self::statement::{PageRequest, Row, statement};
use super::{Chat, Page};
use crate::entity::{account, conversation, deleted_message, message};
use crate::error::Error;

/// One page of changes takes at most one part in this many of the memory that an answer may take. The rest is for the
/// answer, which repeats the texts.
const SHARE_DIVISOR: usize = 4;

/// A position in the viewer's changes. Several rows may have the same revision: within it, conversations come before
/// messages, messages before deleted ones, and each kind is in order of id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeCursor {
    /// The revision.
    pub revision: i64,
    /// The table of the row.
    pub kind: ChangeKind,
    /// The row.
    pub id: Uuid,
}

impl ChangeCursor {
    /// Before all changes.
    pub(super) const START: Self = Self { revision: 0, kind: ChangeKind::Conversation, id: Uuid::nil() };
}

/// The table of a changed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A conversation.
    Conversation,
    /// A message.
    Message,
    /// The tombstone of a message.
    DeletedMessage,
}

/// Which columns of any length are read of a message. The others are empty in the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongColumns {
    /// The text.
    pub content: bool,
    /// The reasoning.
    pub reasoning: bool,
    /// The layout of the parts, with the tool calls.
    pub parts: bool,
}

impl LongColumns {
    /// All of them.
    pub const ALL: Self = Self { content: true, reasoning: true, parts: true };

    /// None of them.
    pub const NONE: Self = Self { content: false, reasoning: false, parts: false };

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            content: self.content || other.content,
            reasoning: self.reasoning || other.reasoning,
            parts: self.parts || other.parts,
        }
    }
}

/// A changed row, as it is now.
#[derive(Clone, Debug)]
pub enum Change {
    /// A conversation was created, deleted or changed otherwise.
    Conversation(Arc<conversation::Model>),
    /// A conversation was restored from the trash with its messages, which are no changes of their own, as that would
    /// take a write of each.
    Restored(Arc<conversation::Model>),
    /// Stored messages have joined or left the active path of a conversation. They are no changes of their own.
    ActivePath(Arc<conversation::Model>),
    /// A message was added, or a reply has started or ended. Only these long columns were read.
    Message(Arc<message::Model>, LongColumns),
    /// A message was deleted.
    DeletedMessage(Arc<deleted_message::Model>),
}

impl Change {
    /// The cursor of this change.
    #[must_use]
    pub fn cursor(&self) -> ChangeCursor {
        let (revision, kind, id) = match self {
            Self::Conversation(row) => (row.revision, ChangeKind::Conversation, row.id),
            Self::Restored(row) => {
                (row.restored_revision.unwrap_or(row.revision), ChangeKind::Conversation, row.id)
            }
            Self::ActivePath(row) => {
                (row.path_revision.unwrap_or(row.revision), ChangeKind::Conversation, row.id)
            }
            Self::Message(row, _) => (row.revision, ChangeKind::Message, row.id),
            Self::DeletedMessage(row) => (row.revision, ChangeKind::DeletedMessage, row.id),
        };
        ChangeCursor { revision, kind, id }
    }
}

impl Chat {
    /// The cursor after all changes so far.
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

    /// The first `limit` changes after `since`, or from the beginning, in order, from one snapshot. Each row is there
    /// at most once, at its last change; a conversation's restoration, and the last change of its active path, are changes
    /// of their own.
    ///
    /// The page ends early if its texts take too much memory, but has at least one change.
    pub async fn changes(
        &self,
        since: Option<ChangeCursor>,
        limit: u64,
        columns: LongColumns,
    ) -> Result<Page<Change>, Error> {
        self.changes_within(since, limit, columns, usize::MAX).await
    }

    /// As [`Chat::changes`], with at most about `bytes` bytes a page.
    async fn changes_within(
        &self,
        since: Option<ChangeCursor>,
        limit: u64,
        columns: LongColumns,
        bytes: usize,
    ) -> Result<Page<Change>, Error> {
        let mut start = since;
        loop {
            let bytes = bytes.min(self.budget.left() / SHARE_DIVISOR);
            let request = PageRequest { since: start, limit, columns, bytes };
            let statement = statement(self.database.backend(), self.user(), &request);
            let rows: Vec<Arc<Row>> = self.load(statement).await?;
            let horizon = rows.iter().find_map(|row| match **row {
                Row::Horizon(cursor) => Some(cursor),
                _ => None,
            });
            let has_next = horizon.is_some() || rows.iter().any(|row| matches!(**row, Row::Next));
            let found = rows.into_iter().filter_map(|row| Arc::into_inner(row)?.into_change(columns));
            let mut changes: Vec<Change> = found.collect();
            if changes.is_empty() && limit > 0 && horizon.is_some() {
                // All that was looked at is in the trash.
                start = horizon;
                continue;
            }
            changes.sort_by_key(Change::cursor);
            return Ok(Page { items: changes, has_previous: since.is_some(), has_next });
        }
    }
}
