//! The columns of rows that are shown, read by their places: finding them by name was 3 % of an open conversation, and the
//! columns that nobody is shown are not read. Each column of a page costs both the server and the database.

use sea_orm::sea_query::ValueType;
use sea_orm::{DbErr, TryGetable};
use uuid::Uuid;

use super::LongColumns;
use crate::database::Row;
use crate::entity::{conversation, message};

/// Which columns of messages are read, beside those that every message is shown by. The others are empty in the row. There are
/// few choices, so that few statements are prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageColumns {
    /// The short columns that say more than what kind of message it is, and where.
    pub details: bool,
    /// Columns of any length.
    pub long: LongColumns,
}

impl MessageColumns {
    /// All of them.
    pub const ALL: Self = Self { details: true, long: LongColumns::ALL };

    /// None of them.
    pub const NONE: Self = Self { details: false, long: LongColumns::NONE };

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { details: self.details || other.details, long: self.long.and(other.long) }
    }
}

/// The columns of a conversation that an answer may show: first those that are of the same types as a message's, and the
/// others that every one is shown by, then the details.
const CONVERSATION: &[&str] = &[
    "id",
    "last_position",
    "created_at",
    "title",
    "read_position",
    "updated_at",
    "title_key",
    "metadata",
    "archived_at",
    "pinned_at",
    "deleted_at",
    "revision",
];

/// How many of them are no details.
const BRIEF_CONVERSATION: usize = 6;

/// The columns of a message of a known conversation that an answer may show, without the long ones: first those that are of
/// the same types as a conversation's, and the others that every one is shown by, then the details.
const MESSAGE: &[&str] = &[
    "id",
    "position",
    "created_at",
    "role",
    "status",
    "parent_id",
    "active",
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
    "finished_at",
    "created_revision",
    "revision",
];

/// How many of them are no details.
const BRIEF_MESSAGE: usize = 5;

/// How many columns of both are of the same types.
pub(super) const SHARED: usize = 3;

/// The columns of a conversation, with or without its `details`.
pub(super) fn conversation(details: bool) -> &'static [&'static str] {
    if details { CONVERSATION } else { &CONVERSATION[..BRIEF_CONVERSATION] }
}

/// The columns of a message.
pub(super) fn message(columns: MessageColumns) -> impl Iterator<Item = &'static str> {
    let MessageColumns { details, long } = columns;
    let short = if details { MESSAGE } else { &MESSAGE[..BRIEF_MESSAGE] };
    let content: &[&str] = if long.content { &["content"] } else { &[] };
    let reasoning: &[&str] = if long.reasoning { &["reasoning"] } else { &[] };
    let parts: &[&str] = if long.parts { &["parts"] } else { &[] };
    short.iter().chain(content).chain(reasoning).chain(parts).copied()
}

/// A row whose columns are taken one after another.
pub(super) struct Columns<'r> {
    row: Row<'r>,
    place: usize,
    /// Between which places others are left out.
    gap: (usize, usize),
    user: &'r str,
}

impl<'r> Columns<'r> {
    /// The columns of `row`, which is the user's, from `place` on.
    pub(super) fn of(row: Row<'r>, place: usize, user: &'r str) -> Self {
        Self { row, place, gap: (0, 0), user }
    }

    /// The same, of which only the shared ones come next, and the others are from `rest` on.
    pub(super) fn continued_at(self, rest: usize) -> Self {
        Self { gap: (self.place + SHARED, rest), ..self }
    }

    pub(super) fn take<T: TryGetable + ValueType>(&mut self) -> Result<T, DbErr> {
        if self.place == self.gap.0 {
            self.place = self.gap.1;
        }
        self.place += 1;
        self.row.get(self.place - 1)
    }

    /// A conversation that was read with the columns of [`conversation`]; `None` if they are null. The other columns are
    /// empty.
    pub(super) fn conversation(mut self, details: bool) -> Result<Option<conversation::Model>, DbErr> {
        let Some(id) = self.take::<Option<Uuid>>()? else { return Ok(None) };
        let mut row = conversation::Model {
            user_id: self.user.to_owned(),
            id,
            last_position: self.take()?,
            created_at: self.take()?,
            title: self.take()?,
            read_position: self.take()?,
            updated_at: self.take()?,
            ..conversation::Model::default()
        };
        if details {
            row.title_key = self.take()?;
            row.metadata = self.take()?;
            row.archived_at = self.take()?;
            row.pinned_at = self.take()?;
            row.deleted_at = self.take()?;
            row.revision = self.take()?;
        }
        Ok(Some(row))
    }

    /// A message that was read with the columns of [`message`]; `None` if they are null. The other columns are empty, and so is
    /// its conversation's id.
    pub(super) fn message(mut self, columns: MessageColumns) -> Result<Option<message::Model>, DbErr> {
        let Some(id) = self.take::<Option<Uuid>>()? else { return Ok(None) };
        let mut row = message::Model {
            user_id: self.user.to_owned(),
            id,
            position: self.take()?,
            created_at: self.take()?,
            role: self.take()?,
            status: self.take()?,
            ..message::Model::default()
        };
        if columns.details {
            row.parent_id = self.take()?;
            row.active = self.take()?;
            row.finish_reason = self.take()?;
            row.failure = self.take()?;
            row.assistant_id = self.take()?;
            row.parameters = self.take()?;
            row.model = self.take()?;
            row.usage = self.take()?;
            row.attempt = self.take()?;
            row.metadata = self.take()?;
            row.rating = self.take()?;
            row.rating_comment = self.take()?;
            row.finished_at = self.take()?;
            row.created_revision = self.take()?;
            row.revision = self.take()?;
        }
        if columns.long.content {
            row.content = self.take()?;
        }
        if columns.long.reasoning {
            row.reasoning = self.take()?;
        }
        if columns.long.parts {
            row.parts = self.take()?;
        }
        Ok(Some(row))
    }
}
