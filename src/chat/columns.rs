//! The columns of rows that are shown, read by their places: finding them by name was 3 % of an open conversation, and the
//! columns that nobody is shown are not read.

use sea_orm::{DbErr, QueryResult, TryGetable};
use uuid::Uuid;

use super::LongColumns;
use crate::entity::{conversation, message};

/// The columns of a conversation that an answer may show.
pub(super) const CONVERSATION: &[&str] = &[
    "id",
    "title",
    "title_key",
    "last_position",
    "read_position",
    "metadata",
    "created_at",
    "updated_at",
    "archived_at",
    "pinned_at",
    "deleted_at",
    "revision",
];

/// The columns of a message that an answer may show, without the long ones.
const MESSAGE: &[&str] = &[
    "id",
    "conversation_id",
    "parent_id",
    "position",
    "active",
    "role",
    "status",
    "finish_reason",
    "failure",
    "assistant_id",
    "parameters",
    "model",
    "usage",
    "attempt",
    "metadata",
    "rating",
    "rating_comment",
    "created_at",
    "finished_at",
    "created_revision",
    "revision",
];

/// The columns of a message that an answer may show, of the long ones only these.
pub(super) fn message(long: LongColumns) -> impl Iterator<Item = &'static str> {
    let content: &[&str] = if long.content { &["content"] } else { &[] };
    let parts: &[&str] = if long.parts { &["reasoning", "parts"] } else { &[] };
    MESSAGE.iter().chain(content).chain(parts).copied()
}

/// A row whose columns are taken one after another.
pub(super) struct Columns<'r> {
    row: &'r QueryResult,
    place: usize,
    user: &'r str,
}

impl<'r> Columns<'r> {
    /// The columns of `row`, which is the user's, from `place` on.
    pub(super) fn of(row: &'r QueryResult, place: usize, user: &'r str) -> Self {
        Self { row, place, user }
    }

    pub(super) fn take<T: TryGetable>(&mut self) -> Result<T, DbErr> {
        self.place += 1;
        self.row.try_get_by_index(self.place - 1)
    }

    /// A conversation that was read with [`CONVERSATION`]; `None` if its columns are null. The other columns are empty.
    pub(super) fn conversation(mut self) -> Result<Option<conversation::Model>, DbErr> {
        let Some(id) = self.take::<Option<Uuid>>()? else { return Ok(None) };
        Ok(Some(conversation::Model {
            user_id: self.user.to_owned(),
            id,
            title: self.take()?,
            title_key: self.take()?,
            title_origin: None,
            last_position: self.take()?,
            read_position: self.take()?,
            metadata: self.take()?,
            created_at: self.take()?,
            updated_at: self.take()?,
            archived_at: self.take()?,
            pinned_at: self.take()?,
            deleted_at: self.take()?,
            erasing_at: None,
            erased_at: None,
            restored_revision: None,
            path_revision: None,
            path_target_id: None,
            path_target_read: None,
            deletion_id: None,
            step_at: None,
            revision: self.take()?,
        }))
    }

    /// A message that was read with the columns of [`message`]; `None` if they are null. The other columns are empty.
    pub(super) fn message(mut self, long: LongColumns) -> Result<Option<message::Model>, DbErr> {
        let Some(id) = self.take::<Option<Uuid>>()? else { return Ok(None) };
        let mut row = message::Model {
            user_id: self.user.to_owned(),
            id,
            conversation_id: self.take()?,
            parent_id: self.take()?,
            position: self.take()?,
            active: self.take()?,
            role: self.take()?,
            status: self.take()?,
            content: String::new(),
            reasoning: String::new(),
            parts: message::Parts::default(),
            finish_reason: self.take()?,
            failure: self.take()?,
            assistant_id: self.take()?,
            parameters: self.take()?,
            model: self.take()?,
            usage: self.take()?,
            attempt: self.take()?,
            restarts_left: 0,
            lease_owner: None,
            lease_until: None,
            stop_requested_at: None,
            metadata: self.take()?,
            rating: self.take()?,
            rating_comment: self.take()?,
            created_at: self.take()?,
            finished_at: self.take()?,
            created_revision: self.take()?,
            revision: self.take()?,
        };
        if long.content {
            row.content = self.take()?;
        }
        if long.parts {
            row.reasoning = self.take()?;
            row.parts = self.take()?;
        }
        Ok(Some(row))
    }
}
