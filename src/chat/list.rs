//! The list of the viewer's conversations: filters and orders.

use chrono::{DateTime, Utc};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr, Order, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait, Select};
use uuid::Uuid;

use super::{Chat, Page, Slice, text};
use crate::database::storable;
use crate::entity::conversation::{self, Column, Entity};
use crate::error::Error;

/// Which conversations a list has. By default these are the ones that are not archived.
#[derive(Clone, Debug)]
pub struct ConversationFilter {
    /// Only those in the archive, or only those outside of it.
    pub archived: Option<bool>,
    /// Only pinned ones, or only those that are not.
    pub pinned: Option<bool>,
    /// Only those whose title contains this text, regardless of case and accents.
    pub title_contains: Option<String>,
    /// Only those with activity at this instant or later.
    pub updated_since: Option<DateTime<Utc>>,
    /// Deleted conversations that can be restored, in place of all others.
    pub deleted: bool,
}

impl Default for ConversationFilter {
    fn default() -> Self {
        Self {
            archived: Some(false),
            pinned: None,
            title_contains: None,
            updated_since: None,
            deleted: false,
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

    fn is_descending(self) -> bool {
        matches!(self, Self::UpdatedAtDesc | Self::CreatedAtDesc | Self::TitleDesc | Self::PinnedFirst)
    }

    /// The columns that rows are sorted by, as an index has them.
    fn columns(self) -> Vec<SimpleExpr> {
        let mut columns = match self {
            Self::UpdatedAtDesc | Self::UpdatedAtAsc => vec![Expr::col(Column::UpdatedAt)],
            Self::CreatedAtDesc | Self::CreatedAtAsc => vec![Expr::col(Column::CreatedAt)],
            Self::TitleAsc | Self::TitleDesc => vec![Expr::col(Column::TitleKey)],
            Self::PinnedFirst => vec![Expr::cust("(pinned_at IS NOT NULL)"), Expr::col(Column::UpdatedAt)],
        };
        columns.push(Expr::col(Column::Id));
        columns
    }

    /// The condition that a row lies after a cursor, or before it.
    fn beyond(self, cursor: ConversationCursor, after: bool) -> SimpleExpr {
        let row = Expr::tuple(self.columns());
        let mut values = match cursor.key {
            ConversationKey::Instant(instant) => vec![Expr::value(instant)],
            ConversationKey::Title(key) => vec![Expr::value(key)],
            ConversationKey::Pinned(pinned, updated_at) => vec![Expr::value(pinned), Expr::value(updated_at)],
        };
        values.push(Expr::value(cursor.id));
        let bound = Expr::tuple(values);
        if after == self.is_descending() { row.lt(bound) } else { row.gt(bound) }
    }
}

impl Chat {
    /// A page of the viewer's conversations. The cursors in `slice` must be of the same order.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        order: ConversationOrder,
        slice: Slice<ConversationCursor>,
    ) -> Result<Page<Arc<conversation::Model>>, Error> {
        let mut query = self.filtered(filter)?;
        let limit = slice.limit + 1;
        if let Some(cursor) = slice.after.clone() {
            query = query.filter(order.beyond(cursor, true));
        }
        if let Some(cursor) = slice.before.clone() {
            query = query.filter(order.beyond(cursor, false));
        }
        let direction = if slice.from_end == order.is_descending() { Order::Asc } else { Order::Desc };
        for column in order.columns() {
            QueryTrait::query(&mut query).order_by_expr(column, direction.clone());
        }
        let query = query.limit(limit);
        let rows = self.rows(query).await?;
        Ok(Page::from_rows(rows, &slice))
    }

    /// How many conversations of the viewer pass `filter`.
    pub async fn conversation_count(&self, filter: &ConversationFilter) -> Result<u64, Error> {
        let query = self.filtered(filter)?;
        self.read(|connection| Box::pin(query.clone().count(connection))).await
    }

    fn filtered(&self, filter: &ConversationFilter) -> Result<Select<Entity>, Error> {
        let mut query = if filter.deleted {
            Entity::find().filter(Column::UserId.eq(self.user())).filter(self.restorable())
        } else {
            self.own_conversations()
        };
        let has = |column: Column, wanted: bool| if wanted { column.is_not_null() } else { column.is_null() };
        if let Some(archived) = filter.archived {
            query = query.filter(has(Column::ArchivedAt, archived));
        }
        if let Some(pinned) = filter.pinned {
            query = query.filter(has(Column::PinnedAt, pinned));
        }
        if let Some(part) = &filter.title_contains {
            let part = text::title_part(part)?;
            query =
                query.filter(Expr::col(Column::TitleKey).like(LikeExpr::new(contains(&part)).escape('\\')));
        }
        if let Some(instant) = filter.updated_since {
            query = query.filter(Column::UpdatedAt.gte(storable(instant)));
        }
        Ok(query)
    }
}

/// A `LIKE` pattern for texts that contain `part` literally.
fn contains(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "%"
}
