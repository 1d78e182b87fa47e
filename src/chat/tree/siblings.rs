//! Versions of one another: the messages with the same parent.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select,
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

/// One of a family, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Sibling {
    /// The message.
    pub id: Uuid,
    /// The owner's revision that made it, which is its place among its siblings.
    pub created_revision: i64,
}

#[derive(FromQueryResult)]
struct Row {
    conversation_id: Uuid,
    parent_id: Option<Uuid>,
    id: Uuid,
    created_revision: i64,
}

impl Family {
    /// The family that `message` is of.
    #[must_use]
    pub fn of(message: &message::Model) -> Self {
        Self { conversation: message.conversation_id, parent: message.parent_id }
    }
}

impl Sibling {
    /// The part of `siblings`, which are in order of creation, that `slice` asks for.
    #[must_use]
    pub fn page(siblings: &[Self], slice: &Slice<i64>) -> Page<Self> {
        let start =
            slice.after.map_or(0, |place| siblings.partition_point(|it| it.created_revision <= place));
        let end = slice
            .before
            .map_or(siblings.len(), |place| siblings.partition_point(|it| it.created_revision < place))
            .max(start);
        let limit = usize::try_from(slice.limit).unwrap_or(usize::MAX);
        let (start, end) = if slice.from_end {
            (start.max(end.saturating_sub(limit)), end)
        } else {
            (start, end.min(start.saturating_add(limit)))
        };
        Page {
            items: siblings.get(start..end).unwrap_or_default().to_vec(),
            has_previous: start > 0,
            has_next: end < siblings.len(),
        }
    }
}

impl Chat {
    /// The members of each of `families`, in order of creation, read in one statement.
    pub async fn families(&self, families: &[Family]) -> Result<HashMap<Family, Vec<Sibling>>, Error> {
        let query = self.members(families);
        let rows =
            self.read(|connection| Box::pin(query.clone().into_model::<Row>().all(connection))).await?;
        let mut members: HashMap<Family, Vec<Sibling>> = HashMap::new();
        for row in rows {
            let family = Family { conversation: row.conversation_id, parent: row.parent_id };
            let sibling = Sibling { id: row.id, created_revision: row.created_revision };
            members.entry(family).or_default().push(sibling);
        }
        Ok(members)
    }

    /// The sibling of `message` that was made next before it, or else next after it.
    pub(super) async fn nearest_sibling(
        &self,
        connection: &impl ConnectionTrait,
        message: &message::Model,
    ) -> Result<Option<Uuid>, DbErr> {
        let rows = self.members(&[Family::of(message)]).into_model::<Row>().all(connection).await?;
        let place = rows.iter().position(|row| row.id == message.id).unwrap_or(rows.len());
        let nearest = place.checked_sub(1).unwrap_or(place + 1);
        Ok(rows.get(nearest).map(|row| row.id))
    }

    fn members(&self, families: &[Family]) -> Select<Entity> {
        let mut parents: BTreeMap<Uuid, Vec<Option<Uuid>>> = BTreeMap::new();
        for family in families {
            parents.entry(family.conversation).or_default().push(family.parent);
        }
        // Each condition is a prefix of the siblings' index.
        let wanted = parents.into_iter().fold(Condition::any(), |wanted, (conversation, parents)| {
            let of = || Condition::all().add(Column::ConversationId.eq(conversation));
            let known: Vec<Uuid> = parents.iter().flatten().copied().collect();
            let wanted = if parents.contains(&None) {
                wanted.add(of().add(Column::ParentId.is_null()))
            } else {
                wanted
            };
            if known.is_empty() { wanted } else { wanted.add(of().add(Column::ParentId.is_in(known))) }
        });
        Entity::find()
            .select_only()
            .columns([Column::ConversationId, Column::ParentId, Column::Id, Column::CreatedRevision])
            .filter(Column::UserId.eq(self.user()))
            .filter(wanted)
            .order_by_asc(Column::CreatedRevision)
    }
}
