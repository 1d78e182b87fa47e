//! The list of the viewer's conversations: filters and orders.

mod plain;
mod statement;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use uuid::Uuid;

use self::statement::{ListRow, ListStatement};
use super::read::Effort;
use super::{Chat, MetadataFilter, Page, Slice, text};
use crate::database::Row;
use crate::entity::conversation;
use crate::error::Error;

/// Where a conversation is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationState {
    /// Neither in the archive nor in the trash.
    Active,
    /// In the archive.
    Archived,
    /// In the trash, whether it was archived before or not.
    Trashed,
}

impl ConversationState {
    /// Where `row` is kept.
    #[must_use]
    pub fn of(row: &conversation::Model) -> Self {
        match (row.deleted_at, row.archived_at) {
            (Some(_), _) => Self::Trashed,
            (None, Some(_)) => Self::Archived,
            (None, None) => Self::Active,
        }
    }
}

/// Which conversations a list has. By default these are the active ones.
#[derive(Clone, Debug)]
pub struct ConversationFilter {
    /// Only those in one of these states. Of the trash, only what can be restored.
    pub states: Vec<ConversationState>,
    /// Only pinned ones, or only those that are not.
    pub pinned: Option<bool>,
    /// Only those whose title contains this text, regardless of case and accents.
    pub title_contains: Option<String>,
    /// Only those with activity at this instant or later.
    pub updated_since: Option<DateTime<Utc>>,
    /// Only those whose metadata contain this.
    pub metadata: MetadataFilter,
}

impl Default for ConversationFilter {
    fn default() -> Self {
        Self {
            states: vec![ConversationState::Active],
            pinned: None,
            title_contains: None,
            updated_since: None,
            metadata: MetadataFilter::default(),
        }
    }
}

/// The order of a list. Conversations that are equal in it are ordered by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConversationOrder {
    /// Newest activity first.
    #[default]
    UpdatedAtDesc,
    /// Oldest activity first.
    UpdatedAtAsc,
    /// Youngest first.
    CreatedAtDesc,
    /// Oldest first.
    CreatedAtAsc,
    /// By title without case and accents, in order of code points; those without a title first.
    TitleAsc,
    /// By title, in reverse.
    TitleDesc,
    /// Pinned ones, then the others; newest activity first among each.
    PinnedFirst,
}

/// A position in a list of conversations in one of its orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationCursor {
    /// The order.
    pub order: ConversationOrder,
    /// The value by which the order sorts.
    pub key: ConversationKey,
    /// The conversation, as keys may be equal.
    pub id: Uuid,
}

/// The value by which an order sorts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationKey {
    /// Of the orders by time.
    Instant(DateTime<Utc>),
    /// Of the orders by title: the title's key.
    Title(String),
    /// Of [`ConversationOrder::PinnedFirst`]: whether it is pinned, and its last activity.
    Pinned(bool, DateTime<Utc>),
}

impl ConversationOrder {
    /// The cursor of a conversation in this order.
    #[must_use]
    pub fn cursor(self, row: &conversation::Model) -> ConversationCursor {
        let key = match self {
            Self::UpdatedAtDesc | Self::UpdatedAtAsc => ConversationKey::Instant(row.updated_at),
            Self::CreatedAtDesc | Self::CreatedAtAsc => ConversationKey::Instant(row.created_at),
            Self::TitleAsc | Self::TitleDesc => ConversationKey::Title(row.title_key.clone()),
            Self::PinnedFirst => ConversationKey::Pinned(row.pinned_at.is_some(), row.updated_at),
        };
        ConversationCursor { order: self, key, id: row.id }
    }

    /// Whether rows are sorted by columns that are details.
    fn needs_details(self) -> bool {
        matches!(self, Self::TitleAsc | Self::TitleDesc | Self::PinnedFirst)
    }

    fn is_descending(self) -> bool {
        matches!(self, Self::UpdatedAtDesc | Self::CreatedAtDesc | Self::TitleDesc | Self::PinnedFirst)
    }

    /// The columns that rows are sorted by, as an index has them.
    fn columns(self) -> Vec<&'static str> {
        match self {
            Self::UpdatedAtDesc | Self::UpdatedAtAsc => vec!["updated_at", "id"],
            Self::CreatedAtDesc | Self::CreatedAtAsc => vec!["created_at", "id"],
            Self::TitleAsc | Self::TitleDesc => vec!["title_key", "id"],
            Self::PinnedFirst => vec!["(pinned_at IS NOT NULL)", "updated_at", "id"],
        }
    }

    /// The condition that a row lies after a cursor, or before it.
    fn beyond(self, cursor: ConversationCursor, after: bool) -> SimpleExpr {
        let [row, bound] = self.compared(cursor);
        if after == self.is_descending() { row.lt(bound) } else { row.gt(bound) }
    }

    /// The condition that a row does not.
    fn not_beyond(self, cursor: ConversationCursor, after: bool) -> SimpleExpr {
        let [row, bound] = self.compared(cursor);
        if after == self.is_descending() { row.gte(bound) } else { row.lte(bound) }
    }

    /// What rows are sorted by, of a row and of a cursor.
    fn compared(self, cursor: ConversationCursor) -> [SimpleExpr; 2] {
        let mut values = match cursor.key {
            ConversationKey::Instant(instant) => vec![Expr::value(instant)],
            ConversationKey::Title(key) => vec![Expr::value(key)],
            ConversationKey::Pinned(pinned, updated_at) => vec![Expr::value(pinned), Expr::value(updated_at)],
        };
        values.push(Expr::value(cursor.id));
        [Expr::tuple(self.columns().into_iter().map(Expr::cust)), Expr::tuple(values)]
    }
}

/// A page of a list and what was asked about the whole list, from one snapshot.
#[derive(Clone, Debug)]
pub struct ConversationPage {
    /// The page.
    pub page: Page<Arc<conversation::Model>>,
    /// How many conversations the whole list has, if that was asked.
    pub total: Option<u64>,
}

/// What is read of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSelection {
    /// The number of conversations in the whole list.
    pub counted: bool,
    /// Of each conversation also what not every one is shown by. Without them, the row has empty columns.
    pub details: bool,
}

impl Chat {
    /// A page of the viewer's conversations, and the number of all in the list if that is wanted, from one snapshot. The
    /// cursors in `slice` must be of the same order.
    ///
    /// That is one statement, or two if the page is empty and something else is asked. With a filter by metadata, another one
    /// first asks which of its values is rare.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the text to filter by is not within its bounds.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        order: ConversationOrder,
        slice: Slice<ConversationCursor>,
        wanted: ListSelection,
    ) -> Result<ConversationPage, Error> {
        let title_part = filter.title_contains.as_deref().map(text::title_part).transpose()?;
        let metadata = self.metadata_search(&filter.metadata).await?;
        let details = wanted.details || order.needs_details();
        let wanted = ListSelection { details, ..wanted };
        let list = ListStatement { chat: self, filter, title_part, metadata, order, slice: &slice, wanted };
        let facts = list.facts();
        let user = self.user().to_owned();
        let decode = move |row: Row<'_>| ListRow::decode(row, &user, facts, details);
        let plain = match list.plain() {
            Some(statement) => {
                // To count is to read the whole list.
                let effort = if facts.total { Effort::Usual } else { Effort::Brief };
                Some(self.load_decoded(statement, effort, decode.clone()).await?)
            }
            None => None,
        };
        let rows = match plain.filter(|rows| !rows.is_empty() || !facts.is_any()) {
            Some(rows) => rows,
            None => match list.build() {
                // A filter may pass few.
                Some(statement) => self.load_decoded(statement, Effort::Usual, decode).await?,
                None => return Ok(ConversationPage { page: Page::empty(), total: Some(0) }),
            },
        };
        let (total, before, after) =
            rows.first().map(|row| (row.total, row.more_before, row.more_after)).unwrap_or_default();
        let found: Vec<_> = rows.into_iter().filter_map(|row| row.conversation.map(Arc::new)).collect();
        let more = found.len() as u64 > slice.limit;
        // Whether there is more on the other side of a cursor is asked, as it may be gone.
        let (has_previous, has_next) =
            (before || (more && slice.from_end), after || (more && !slice.from_end));
        let page = Page { has_previous, has_next, ..Page::from_rows(found, &slice) };
        Ok(ConversationPage { page, total: total.and_then(|total| u64::try_from(total).ok()) })
    }
}
