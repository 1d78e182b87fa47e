//! Siblings: messages with the same parent, which are versions of one another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QueryOrder, QueryResult, QuerySelect, QueryTrait, Select, Statement,
};
use uuid::Uuid;

use super::super::read::{Effort, RowSize};
use super::super::{Chat, CountedPage, Page, Slice};
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

/// A message's place among its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiblingRank {
    /// The message's index in order of creation, from 0.
    pub index: i64,
    /// How many there are, the message itself among them.
    pub count: i64,
    /// The one that was created before it.
    pub previous: Option<Uuid>,
    /// The one that was created after it.
    pub next: Option<Uuid>,
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
    previous: Option<Uuid>,
    next: Option<Uuid>,
}

/// A sibling, and how many there are of its group.
struct SiblingRow {
    message: message::Model,
    count: i64,
}

impl FromQueryResult for SiblingRow {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let message = message::Model::from_query_result(row, prefix)?;
        Ok(Self { message, count: row.try_get(prefix, "sibling_count")? })
    }
}

impl RowSize for SiblingRow {
    fn bytes(&self) -> usize {
        self.message.bytes()
    }
}

impl SiblingRank {
    /// That of a message that was deleted in between: it has no siblings but itself.
    pub const ALONE: Self = Self { index: 0, count: 1, previous: None, next: None };
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
            .expr_as(in_order("ROW_NUMBER()"), Alias::new("number"))
            .expr_as(in_order("LAG(id)"), Alias::new("previous"))
            .expr_as(in_order("LEAD(id)"), Alias::new("next"))
            .expr_as(Expr::cust(format!("COUNT(*) OVER ({SIBLING_GROUP})")), Alias::new("count"));
        let id = Alias::new("id");
        let query = Query::select()
            .columns(["id", "number", "count", "previous", "next"].map(Alias::new))
            .from_subquery(ranked.into_query(), Alias::new("ranked"))
            .and_where(Expr::col(id).is_in(keys.iter().map(|key| key.id)))
            .to_owned();
        let statement = self.database.backend().build(&query);
        let rows: Vec<RankRow> = self.find(statement).await?;
        let rank = |row: RankRow| {
            let RankRow { id, number, count, previous, next } = row;
            (id, SiblingRank { index: number - 1, count, previous, next })
        };
        let ranks: HashMap<Uuid, SiblingRank> = rows.into_iter().map(rank).collect();
        Ok(keys.iter().filter_map(|key| Some((*key, *ranks.get(&key.id)?))).collect())
    }

    /// Those of `pages` whose groups have messages, each with the number of those, from one snapshot. Pages with equal
    /// slices are read in one statement.
    pub async fn sibling_pages(
        &self,
        pages: &[SiblingPage],
    ) -> Result<HashMap<SiblingPage, CountedPage<Arc<message::Model>>>, Error> {
        let mut groups: HashMap<Slice<i64>, HashSet<SiblingGroup>> = HashMap::new();
        for page in pages {
            groups.entry(page.slice).or_default().insert(page.group);
        }
        let mut read = HashMap::new();
        for (slice, groups) in groups {
            let mut members: HashMap<SiblingGroup, (i64, Vec<Arc<message::Model>>)> = HashMap::new();
            let rows = self.load_rows(self.sliced(&groups, &slice), Effort::Usual).await?;
            for SiblingRow { message, count } in rows {
                let (_, rows) = members.entry(SiblingGroup::of(&message)).or_insert((count, Vec::new()));
                let revision = message.created_revision;
                let is_wanted = slice.after.is_none_or(|after| revision > after)
                    && slice.before.is_none_or(|before| revision < before);
                if is_wanted {
                    rows.push(Arc::new(message));
                }
            }
            read.extend(members.into_iter().map(|(group, (total, rows))| {
                (SiblingPage { group, slice }, CountedPage { page: Page::from_rows(rows, &slice), total })
            }));
        }
        Ok(read)
    }

    /// The messages of `groups` that `slice` asks for, and one more in each group that has more. A group of which it
    /// asks for none has one message nevertheless, which tells how many there are.
    fn sliced(&self, groups: &HashSet<SiblingGroup>, slice: &Slice<i64>) -> Statement {
        let order = if slice.from_end { Order::Desc } else { Order::Asc };
        let mut outside = Condition::any();
        if let Some(revision) = slice.after {
            outside = outside.add(Column::CreatedRevision.lte(revision));
        }
        if let Some(revision) = slice.before {
            outside = outside.add(Column::CreatedRevision.gte(revision));
        }
        let outside: SimpleExpr =
            if outside.is_empty() { Expr::value(0) } else { Expr::case(outside, 1).finally(0).into() };
        let [sibling, count, number, is_outside, chosen] =
            ["sibling_id", "sibling_count", "number", "is_outside", "chosen"].map(Alias::new);
        let mut members = self.members(groups.iter().copied()).select_only();
        QueryTrait::query(&mut members)
            .expr_as(Expr::col(Column::Id), sibling.clone())
            .expr_as(Expr::col(Column::ConversationId), Column::ConversationId)
            .expr_as(Expr::col(Column::ParentId), Column::ParentId)
            .expr_as(Expr::col(Column::CreatedRevision), Column::CreatedRevision)
            .expr_as(outside, is_outside.clone());
        let direction = if slice.from_end { "DESC" } else { "ASC" };
        let numbered = format!(
            r#"ROW_NUMBER() OVER ({SIBLING_GROUP} ORDER BY "is_outside", "created_revision" {direction})"#
        );
        let numbered = Query::select()
            .columns([sibling.clone(), is_outside.clone()])
            .expr_as(Expr::cust(numbered), number.clone())
            .expr_as(Expr::cust(format!("COUNT(*) OVER ({SIBLING_GROUP})")), count.clone())
            .from_subquery(members.into_query(), Alias::new("member"))
            .to_owned();
        let wanted = Query::select()
            .columns([sibling.clone(), count.clone()])
            .from_subquery(numbered, Alias::new("numbered"))
            .and_where(Expr::col(number.clone()).lte(slice.limit + 1))
            .and_where(Expr::col(is_outside).eq(0).or(Expr::col(number).eq(1)))
            .to_owned();
        let mut query = self.own_messages().order_by(Column::CreatedRevision, order);
        QueryTrait::query(&mut query)
            .expr_as(Expr::col((chosen.clone(), count.clone())), count)
            .join_subquery(
                JoinType::InnerJoin,
                wanted,
                chosen.clone(),
                Expr::col((chosen, sibling)).equals((Entity, Column::Id)),
            );
        query.build(self.database.backend())
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

/// The window function `function` over a group in order of creation.
fn in_order(function: &str) -> SimpleExpr {
    Expr::cust(format!(r#"{function} OVER ({SIBLING_GROUP} ORDER BY "created_revision")"#))
}
