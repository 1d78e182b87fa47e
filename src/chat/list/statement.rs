//! A page of conversations and what is asked about the whole list, in one statement and therefore from one snapshot.

use sea_orm::sea_query::{
    Alias, Condition, Expr, ExprTrait, Func, JoinType, LikeExpr, Order, Query, SelectStatement, SimpleExpr,
    UnionType,
};
use sea_orm::{ColumnTrait, DbBackend, DbErr, Statement};

use super::{ConversationCursor, ConversationFilter, ConversationOrder, ConversationState, ListSelection};
use crate::chat::columns::{self, Columns};
use crate::chat::metadata_search::MetadataSearch;
use crate::chat::read::RowSize;
use crate::chat::{Chat, Slice};
use crate::database::{Row, storable};
use crate::entity::conversation::{Column, Entity, Model};

/// What a list is made of.
pub(super) struct ListStatement<'l> {
    pub(super) chat: &'l Chat,
    pub(super) filter: &'l ConversationFilter,
    /// The checked text that titles must contain.
    pub(super) title_part: Option<String>,
    pub(super) metadata: MetadataSearch,
    pub(super) order: ConversationOrder,
    pub(super) slice: &'l Slice<ConversationCursor>,
    pub(super) wanted: ListSelection,
}

/// What is asked about the whole list. Each has a column before those of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// How many conversations it has.
    pub(super) total: bool,
    /// Whether there is something before the cursor `after`, that one included.
    pub(super) before: bool,
    /// Whether there is something after the cursor `before`, that one included.
    pub(super) after: bool,
}

impl Facts {
    /// Whether anything is asked.
    pub(super) fn is_any(self) -> bool {
        self.total || self.before || self.after
    }
}

/// A row of the result: the answers to what is asked about the list, and a conversation, unless the page is empty.
#[derive(Default)]
pub(super) struct ListRow {
    pub(super) total: Option<i64>,
    pub(super) more_before: bool,
    pub(super) more_after: bool,
    pub(super) conversation: Option<Model>,
}

impl ListRow {
    pub(super) fn decode(row: Row<'_>, user: &str, facts: Facts, details: bool) -> Result<Self, DbErr> {
        let mut columns = Columns::of(row, 0, user);
        Ok(Self {
            total: if facts.total { columns.take()? } else { None },
            more_before: facts.before && columns.take()?,
            more_after: facts.after && columns.take()?,
            conversation: columns.conversation(details)?,
        })
    }
}

impl RowSize for ListRow {
    fn bytes(&self) -> usize {
        self.conversation.as_ref().map_or(0, RowSize::bytes)
    }
}

impl ListStatement<'_> {
    /// The statement; `None` if the filter excludes everything.
    pub(super) fn build(&self) -> Option<Statement> {
        let parts = self.parts();
        if parts.is_empty() {
            return None;
        }
        let backend = self.chat.database.backend();
        let page = self.page(&parts);
        if !self.facts().is_any() {
            return Some(backend.build(&page));
        }
        let (mut facts, mut list) = (Query::select(), Query::select());
        let mut ask = |fact: SimpleExpr, name: &'static str| {
            facts.expr_as(fact, Alias::new(name));
            list.column(Alias::new(name));
        };
        if self.wanted.counted {
            ask(self.total(&parts), "total");
        }
        if let Some(cursor) = &self.slice.after {
            ask(self.exists_beyond(&parts, cursor, true), "more_before");
        }
        if let Some(cursor) = &self.slice.before {
            ask(self.exists_beyond(&parts, cursor, false), "more_after");
        }
        list.columns(self.columns().iter().copied().map(Alias::new));
        list.from_subquery(facts, Alias::new("facts")).join_subquery(
            JoinType::LeftJoin,
            page,
            Alias::new("page"),
            Expr::cust("TRUE"),
        );
        self.sort(&mut list, "");
        Some(backend.build(&list))
    }

    /// What is asked about the list beside its page.
    pub(super) fn facts(&self) -> Facts {
        let Slice { after, before, .. } = self.slice;
        Facts { total: self.wanted.counted, before: after.is_some(), after: before.is_some() }
    }

    /// The columns of a conversation that are read.
    pub(super) fn columns(&self) -> &'static [&'static str] {
        columns::conversation(self.wanted.details)
    }

    /// The conditions of the parts that the list has. Each is one that an index of the table is limited to: together
    /// they would be read without any.
    fn parts(&self) -> Vec<Condition> {
        let has = |state| self.filter.states.contains(&state);
        let archived = match (has(ConversationState::Active), has(ConversationState::Archived)) {
            (true, true) => Some(Condition::all()),
            (true, false) => Some(Condition::all().add(Column::ArchivedAt.is_null())),
            (false, true) => Some(Condition::all().add(Column::ArchivedAt.is_not_null())),
            (false, false) => None,
        };
        let present = archived.map(|archived| archived.add(Column::DeletedAt.is_null()));
        let trashed = has(ConversationState::Trashed).then(|| Condition::all().add(self.chat.restorable()));
        present.into_iter().chain(trashed).collect()
    }

    /// The conversations of one part that pass the filter, without columns.
    fn selected(&self, part: &Condition) -> SelectStatement {
        let filter = self.filter;
        let mut query = Query::select();
        query.from(Entity).and_where(Column::UserId.eq(self.chat.user())).cond_where(part.clone());
        if let Some(pinned) = filter.pinned {
            let column = Column::PinnedAt;
            query.and_where(if pinned { column.is_not_null() } else { column.is_null() });
        }
        if let Some(part) = &self.title_part {
            query.and_where(Expr::col(Column::TitleKey).like(LikeExpr::new(contains(part)).escape('\\')));
        }
        if let Some(instant) = filter.updated_since {
            query.and_where(Column::UpdatedAt.gte(storable(instant)));
        }
        for condition in self.metadata.conditions(self.chat.database.backend(), self.chat.user()) {
            query.and_where(condition);
        }
        query
    }

    fn total(&self, parts: &[Condition]) -> SimpleExpr {
        let counts = parts.iter().map(|part| {
            let mut count = self.selected(part);
            count.expr(Expr::cust("COUNT(*)"));
            SimpleExpr::SubQuery(None, Box::new(count.into()))
        });
        counts.reduce(ExprTrait::add).unwrap_or_else(|| Expr::value(0i64))
    }

    /// Whether the list has something on the other side of a cursor, after which, or before which, the page lies. The
    /// nearest such row is looked for: for any row PostgreSQL may read the table.
    fn exists_beyond(&self, parts: &[Condition], cursor: &ConversationCursor, after: bool) -> SimpleExpr {
        let direction = if after == self.order.is_descending() { Order::Asc } else { Order::Desc };
        let found = parts.iter().map(|part| {
            let mut beyond = self.selected(part);
            beyond.expr(Expr::cust("TRUE")).and_where(self.order.not_beyond(cursor.clone(), after)).limit(1);
            self.sort_by(&mut beyond, &direction, self.prefix());
            let nearest = SimpleExpr::SubQuery(None, Box::new(beyond.into()));
            SimpleExpr::from(Func::coalesce([nearest, Expr::cust("FALSE")]))
        });
        found.reduce(ExprTrait::or).unwrap_or_else(|| Expr::cust("FALSE"))
    }

    /// The rows of the page, and one more.
    fn page(&self, parts: &[Condition]) -> SelectStatement {
        let limited = |mut query: SelectStatement| {
            for (cursor, after) in [(&self.slice.after, true), (&self.slice.before, false)] {
                if let Some(cursor) = cursor {
                    query.and_where(self.order.beyond(cursor.clone(), after));
                }
            }
            self.sort(&mut query, self.prefix());
            query.limit(self.slice.limit + 1).to_owned()
        };
        let shown = || self.columns().iter().copied().map(Alias::new);
        if let [part] = parts {
            return limited(self.selected(part).columns(shown()).to_owned());
        }
        let mut page = Query::select();
        page.columns(shown()).from(Entity);
        let ids = parts.iter().enumerate().map(|(number, part)| {
            let part = limited(self.selected(part).column(Column::Id).to_owned());
            let name = Alias::new(format!("part{number}"));
            Query::select().column(Column::Id).from_subquery(part, name).to_owned()
        });
        let Some(ids) = ids.reduce(|mut all, part| all.union(UnionType::All, part).to_owned()) else {
            return page;
        };
        page.and_where(Column::UserId.eq(self.chat.user())).and_where(Column::Id.in_subquery(ids));
        self.sort(&mut page, "");
        page.limit(self.slice.limit + 1).to_owned()
    }

    fn sort(&self, query: &mut SelectStatement, prefix: &str) {
        let direction =
            if self.slice.from_end == self.order.is_descending() { Order::Asc } else { Order::Desc };
        self.sort_by(query, &direction, prefix);
    }

    fn sort_by(&self, query: &mut SelectStatement, direction: &Order, prefix: &str) {
        for column in self.order.columns() {
            query.order_by_expr(Expr::cust(format!("{prefix}{column}")), direction.clone());
        }
    }

    /// What stands before the columns that rows are sorted by. Without statistics, SQLite reads all of the user's
    /// conversations in the order of the list rather than the few that are wanted. It does not if no index can give the
    /// order.
    fn prefix(&self) -> &'static str {
        let is_sqlite = self.chat.database.backend() == DbBackend::Sqlite;
        if self.metadata.is_rare() && is_sqlite { "+" } else { "" }
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
