//! Versions of one another: the messages with the same parent.

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
pub struct Family {
    /// The conversation.
    pub conversation: Uuid,
    /// The parent; `None` of first messages.
    pub parent: Option<Uuid>,
}

/// A message among its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiblingPlace {
    /// The siblings.
    pub family: Family,
    /// The message.
    pub id: Uuid,
}

/// How many siblings a message has, and how many of them were made before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiblingRank {
    /// The message's place in order of creation, from 0.
    pub index: i64,
    /// How many there are, the message itself among them.
    pub count: i64,
}

/// A part of a family in order of creation; places are the owner's revisions that made the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiblingPage {
    /// The siblings.
    pub family: Family,
    /// Which of them.
    pub slice: Slice<i64>,
}

#[derive(FromQueryResult)]
struct RankRow {
    id: Uuid,
    number: i64,
    count: i64,
}

impl Family {
    /// The family that `message` is of.
    #[must_use]
    pub fn of(message: &message::Model) -> Self {
        Self { conversation: message.conversation_id, parent: message.parent_id }
    }
}

impl SiblingPlace {
    /// The place of `message` in its family.
    #[must_use]
    pub fn of(message: &message::Model) -> Self {
        Self { family: Family::of(message), id: message.id }
    }
}

impl SiblingPage {
    /// A part of the family that `message` is of.
    #[must_use]
    pub fn of(message: &message::Model, slice: Slice<i64>) -> Self {
        Self { family: Family::of(message), slice }
    }
}

impl Chat {
    /// The rank of each of `places` that there is, counted by the database in one statement.
    pub async fn sibling_ranks(
        &self,
        places: &[SiblingPlace],
    ) -> Result<HashMap<SiblingPlace, SiblingRank>, Error> {
        let mut ranked = self.members(places.iter().map(|place| place.family)).select_only();
        QueryTrait::query(&mut ranked)
            .column(Column::Id)
            .expr_as(numbered(&Order::Asc), Alias::new("number"))
            .expr_as(Expr::cust(format!("COUNT(*) OVER ({FAMILY})")), Alias::new("count"));
        let (id, number, count) = (Alias::new("id"), Alias::new("number"), Alias::new("count"));
        let query = Query::select()
            .columns([id.clone(), number, count])
            .from_subquery(ranked.into_query(), Alias::new("ranked"))
            .and_where(Expr::col(id).is_in(places.iter().map(|place| place.id)))
            .to_owned();
        let statement = self.database.backend().build(&query);
        let rows: Vec<RankRow> = self.find(statement).await?;
        let ranks: HashMap<Uuid, SiblingRank> = rows
            .into_iter()
            .map(|row| (row.id, SiblingRank { index: row.number - 1, count: row.count }))
            .collect();
        Ok(places.iter().filter_map(|place| Some((*place, *ranks.get(&place.id)?))).collect())
    }

    /// The messages of each of `pages`; those with equal slices are read in one statement.
    pub async fn sibling_pages(
        &self,
        pages: &[SiblingPage],
    ) -> Result<HashMap<SiblingPage, Page<Arc<message::Model>>>, Error> {
        let mut families: HashMap<Slice<i64>, HashSet<Family>> = HashMap::new();
        for page in pages {
            families.entry(page.slice).or_default().insert(page.family);
        }
        let mut read = HashMap::new();
        for (slice, families) in families {
            let order = if slice.from_end { Order::Desc } else { Order::Asc };
            let query = self
                .own_messages()
                .filter(Column::Id.in_subquery(self.sliced(&families, &slice, &order)))
                .order_by(Column::CreatedRevision, order);
            let mut members: HashMap<Family, Vec<Arc<message::Model>>> = HashMap::new();
            for row in self.rows(query).await? {
                members.entry(Family::of(&row)).or_default().push(row);
            }
            read.extend(families.into_iter().map(|family| {
                let rows = members.remove(&family).unwrap_or_default();
                (SiblingPage { family, slice }, Page::from_rows(rows, &slice))
            }));
        }
        Ok(read)
    }

    /// The ids of the messages of `families` that `slice` asks for, and of one more of each that has more.
    fn sliced(&self, families: &HashSet<Family>, slice: &Slice<i64>, order: &Order) -> SelectStatement {
        let mut members = self.members(families.iter().copied()).select_only().column(Column::Id);
        if let Some(place) = slice.after {
            members = members.filter(Column::CreatedRevision.gt(place));
        }
        if let Some(place) = slice.before {
            members = members.filter(Column::CreatedRevision.lt(place));
        }
        let limit = slice.limit + 1;
        // The index has one family in this order, so that no more is read than is wanted.
        let ids = Alias::new("ids");
        if families.len() == 1 {
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

    /// The sibling of `message` that was made next before it, or else next after it.
    pub(super) async fn nearest_sibling(
        &self,
        connection: &impl ConnectionTrait,
        message: &message::Model,
    ) -> Result<Option<message::Model>, DbErr> {
        self.nearest_siblings(message).one(connection).await
    }

    /// The query for what [`Self::nearest_sibling`] finds.
    pub(super) fn nearest_siblings(&self, message: &message::Model) -> Select<Entity> {
        let place = message.created_revision;
        let nearest = |side: Condition, order: Order| {
            let query = self.members([Family::of(message)]).filter(side);
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
        let before = nearest(Condition::all().add(Column::CreatedRevision.lt(place)), Order::Desc);
        let after = nearest(Condition::all().add(Column::CreatedRevision.gt(place)), Order::Asc);
        let both =
            of(before, "before").union(sea_orm::sea_query::UnionType::All, of(after, "after")).to_owned();
        // The later one of those on both sides that is before the message, if any is.
        self.own_messages()
            .filter(Column::Id.in_subquery(both))
            .order_by_asc(Column::CreatedRevision)
            .limit(1)
    }

    /// The messages of `families`.
    fn members(&self, families: impl IntoIterator<Item = Family>) -> Select<Entity> {
        let mut parents: BTreeMap<Uuid, Vec<Option<Uuid>>> = BTreeMap::new();
        for family in families {
            parents.entry(family.conversation).or_default().push(family.parent);
        }
        // Each condition is a prefix of the siblings' index. SQLite reads all of the user's if the owner is named once.
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

/// What makes rows a family to the database.
const FAMILY: &str = r#"PARTITION BY "conversation_id", "parent_id""#;

/// A row's number in its family, from 1.
fn numbered(order: &Order) -> sea_orm::sea_query::SimpleExpr {
    let direction = if *order == Order::Desc { "DESC" } else { "ASC" };
    Expr::cust(format!(r#"ROW_NUMBER() OVER ({FAMILY} ORDER BY "created_revision" {direction})"#))
}
