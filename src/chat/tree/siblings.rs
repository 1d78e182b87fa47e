//! Siblings: messages with the same parent, which are versions of one another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use super::super::{Chat, Page, Slice};
use crate::entity::message::{self, Column, Entity};
use crate::error::Error;

/// All messages with the same parent, or all first messages of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiblingGroup {
    /// The conversation.
    pub conversation: Uuid,
    /// The parent; `None` for first messages.
    pub parent: Option<Uuid>,
}

/// A message among its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiblingKey {
    /// The siblings.
    pub group: SiblingGroup,
    /// The message.
    pub id: Uuid,
}

/// A message's index among its siblings, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiblingRank {
    /// The message's index in order of creation, from 0.
    pub index: i64,
    /// How many there are, the message itself among them.
    pub count: i64,
}

/// A part of a group in order of creation. Its cursors are the revisions that created the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiblingPage {
    /// The siblings.
    pub group: SiblingGroup,
    /// Which of them.
    pub slice: Slice<i64>,
}

#[derive(FromQueryResult)]
struct RankRow {
    id: Uuid,
    number: i64,
    count: i64,
}

impl SiblingGroup {
    /// The group of `message`.
    #[must_use]
    pub fn of(message: &message::Model) -> Self {
        Self { conversation: message.conversation_id, parent: message.parent_id }
    }
}

impl SiblingKey {
    /// The key of `message`.
    #[must_use]
    pub fn of(message: &message::Model) -> Self {
        Self { group: SiblingGroup::of(message), id: message.id }
    }
}

impl SiblingPage {
    /// A part of the group of `message`.
    #[must_use]
    pub fn of(message: &message::Model, slice: Slice<i64>) -> Self {
        Self { group: SiblingGroup::of(message), slice }
    }
}

impl Chat {
    /// The ranks of those messages of `keys` that exist, counted by the database in one statement.
    pub async fn sibling_ranks(
        &self,
        keys: &[SiblingKey],
    ) -> Result<HashMap<SiblingKey, SiblingRank>, Error> {
        let mut ranked = self.members(keys.iter().map(|key| key.group)).select_only();
        QueryTrait::query(&mut ranked)
            .column(Column::Id)
            .expr_as(numbered(&Order::Asc), Alias::new("number"))
            .expr_as(Expr::cust(format!("COUNT(*) OVER ({SIBLING_GROUP})")), Alias::new("count"));
        let (id, number, count) = (Alias::new("id"), Alias::new("number"), Alias::new("count"));
        let query = Query::select()
            .columns([id.clone(), number, count])
            .from_subquery(ranked.into_query(), Alias::new("ranked"))
            .and_where(Expr::col(id).is_in(keys.iter().map(|key| key.id)))
            .to_owned();
        let statement = self.database.backend().build(&query);
        let rows: Vec<RankRow> = self.find(statement).await?;
        let ranks: HashMap<Uuid, SiblingRank> = rows
            .into_iter()
            .map(|row| (row.id, SiblingRank { index: row.number - 1, count: row.count }))
            .collect();
        Ok(keys.iter().filter_map(|key| Some((*key, *ranks.get(&key.id)?))).collect())
    }

    /// The messages of each of `pages`. Pages with equal slices are read in one statement.
    pub async fn sibling_pages(
        &self,
        pages: &[SiblingPage],
    ) -> Result<HashMap<SiblingPage, Page<Arc<message::Model>>>, Error> {
        let mut groups: HashMap<Slice<i64>, HashSet<SiblingGroup>> = HashMap::new();
        for page in pages {
            groups.entry(page.slice).or_default().insert(page.group);
        }
        let mut read = HashMap::new();
        for (slice, groups) in groups {
            let order = if slice.from_end { Order::Desc } else { Order::Asc };
            let query = self
                .own_messages()
                .filter(Column::Id.in_subquery(self.sliced(&groups, &slice, &order)))
                .order_by(Column::CreatedRevision, order);
            let mut members: HashMap<SiblingGroup, Vec<Arc<message::Model>>> = HashMap::new();
            for row in self.rows(query).await? {
                members.entry(SiblingGroup::of(&row)).or_default().push(row);
            }
            read.extend(groups.into_iter().map(|group| {
                let rows = members.remove(&group).unwrap_or_default();
                (SiblingPage { group, slice }, Page::from_rows(rows, &slice))
            }));
        }
        Ok(read)
    }

    /// The ids of the messages of `groups` that `slice` asks for, and of one more in each group that has more.
    fn sliced(&self, groups: &HashSet<SiblingGroup>, slice: &Slice<i64>, order: &Order) -> SelectStatement {
        let mut members = self.members(groups.iter().copied()).select_only().column(Column::Id);
        if let Some(revision) = slice.after {
            members = members.filter(Column::CreatedRevision.gt(revision));
        }
        if let Some(revision) = slice.before {
            members = members.filter(Column::CreatedRevision.lt(revision));
        }
        let limit = slice.limit + 1;
        // The index has one group in this order, so no more rows are read than wanted.
        let ids = Alias::new("ids");
        if groups.len() == 1 {
            let first = members.order_by(Column::CreatedRevision, order.clone()).limit(limit).into_query();
            return Query::select().column(Column::Id).from_subquery(first, ids).to_owned();
        }
        let number = Alias::new("number");
        QueryTrait::query(&mut members).expr_as(numbered(order), number.clone());
        Query::select()
            .column(Column::Id)
            .from_subquery(members.into_query(), ids)
            .and_where(Expr::col(number).lte(limit))
            .to_owned()
    }

    /// The sibling of `message` that was created last before it, or else first after it.
    pub(super) async fn nearest_sibling(
        &self,
        connection: &impl ConnectionTrait,
        message: &message::Model,
    ) -> Result<Option<message::Model>, DbErr> {
        self.nearest_siblings(message).one(connection).await
    }

    /// The query for what [`Self::nearest_sibling`] finds.
    pub(super) fn nearest_siblings(&self, message: &message::Model) -> Select<Entity> {
        let revision = message.created_revision;
        let nearest = |side: Condition, order: Order| {
            let query = self.members([SiblingGroup::of(message)]).filter(side);
            query
                .select_only()
                .column(Column::Id)
                .order_by(Column::CreatedRevision, order)
                .limit(1)
                .into_query()
        };
        let of = |query: SelectStatement, name: &'static str| {
            Query::select().column(Column::Id).from_subquery(query, Alias::new(name)).to_owned()
        };
        let before = nearest(Condition::all().add(Column::CreatedRevision.lt(revision)), Order::Desc);
        let after = nearest(Condition::all().add(Column::CreatedRevision.gt(revision)), Order::Asc);
        let both =
            of(before, "before").union(sea_orm::sea_query::UnionType::All, of(after, "after")).to_owned();
        // The one before the message comes first, if there is one.
        self.own_messages()
            .filter(Column::Id.in_subquery(both))
            .order_by_asc(Column::CreatedRevision)
            .limit(1)
    }

    /// The messages of `groups`.
    fn members(&self, groups: impl IntoIterator<Item = SiblingGroup>) -> Select<Entity> {
        let mut parents: BTreeMap<Uuid, Vec<Option<Uuid>>> = BTreeMap::new();
        for group in groups {
            parents.entry(group.conversation).or_default().push(group.parent);
        }
        // Each condition names a prefix of the siblings' index. With the owner written once, SQLite reads all of the
        // user's messages.
        let wanted = parents.into_iter().fold(Condition::any(), |wanted, (conversation, parents)| {
            let of = || {
                let owner = Condition::all().add(Column::UserId.eq(self.user()));
                owner.add(Column::ConversationId.eq(conversation))
            };
            let known: Vec<Uuid> = parents.iter().flatten().copied().collect();
            let wanted = if parents.contains(&None) {
                wanted.add(of().add(Column::ParentId.is_null()))
            } else {
                wanted
            };
            if known.is_empty() { wanted } else { wanted.add(of().add(Column::ParentId.is_in(known))) }
        });
        Entity::find().filter(wanted)
    }
}

/// Groups rows by parent.
const SIBLING_GROUP: &str = r#"PARTITION BY "conversation_id", "parent_id""#;

/// A row's number in its group, from 1.
fn numbered(order: &Order) -> sea_orm::sea_query::SimpleExpr {
    let direction = if *order == Order::Desc { "DESC" } else { "ASC" };
    Expr::cust(format!(r#"ROW_NUMBER() OVER ({SIBLING_GROUP} ORDER BY "created_revision" {direction})"#))
}
