//! The replies of conversations that have not ended: each query is for many conversations at once, and reads the index
//! of such replies.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::Chat;
use crate::entity::message::{self, Column, Entity};
use crate::error::Error;

/// Spelled out, as the databases must see that the partial indexes apply.
const GENERATING: &str = "status = 'GENERATING'";
const QUEUED: &str = "status = 'QUEUED'";

/// The first queued replies of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueuedReplies {
    /// The conversation.
    pub conversation: Uuid,
    /// How many at most.
    pub limit: u64,
}

/// The place of a reply that has not ended.
#[derive(FromQueryResult)]
struct Place {
    conversation_id: Uuid,
    position: i64,
}

impl Chat {
    /// The positions of the replies on the active path of each conversation that have not ended.
    pub async fn unended_replies(&self, conversations: &[Uuid]) -> Result<HashMap<Uuid, Vec<i64>>, Error> {
        let part = |status: &'static str| {
            let mut part = self.unended(conversations, status);
            part.columns([Column::ConversationId, Column::Position])
                .and_where(Expr::col(Column::Active))
                .to_owned()
        };
        let both = part(GENERATING).union(UnionType::All, part(QUEUED)).to_owned();
        let found: Vec<Place> = self.find(self.database.backend().build(&both)).await?;
        let mut positions: HashMap<Uuid, Vec<i64>> = HashMap::new();
        for place in found {
            positions.entry(place.conversation_id).or_default().push(place.position);
        }
        Ok(positions)
    }

    /// The reply that is being written in each conversation, on the active path or not.
    pub async fn active_replies(&self, conversations: &[Uuid]) -> Result<Vec<Arc<message::Model>>, Error> {
        let query = self
            .own_messages()
            .filter(Column::ConversationId.is_in(conversations.iter().copied()))
            .filter(Expr::cust(GENERATING));
        self.rows(query).await
    }

    /// The queued replies of each conversation in the order in which they are to begin.
    pub async fn queued_replies(
        &self,
        keys: &[QueuedReplies],
    ) -> Result<HashMap<QueuedReplies, Vec<Arc<message::Model>>>, Error> {
        let conversations: Vec<Uuid> = keys.iter().map(|key| key.conversation).collect();
        let limit = keys.iter().map(|key| key.limit).max().unwrap_or(0);
        let number = Alias::new("number");
        let mut numbered = self.unended(&conversations, QUEUED);
        numbered.column(Column::Id).expr_as(
            Expr::cust(r#"ROW_NUMBER() OVER (PARTITION BY "conversation_id" ORDER BY "position", "id")"#),
            number.clone(),
        );
        let ids = Query::select()
            .column(Column::Id)
            .from_subquery(numbered, Alias::new("queued"))
            .and_where(Expr::col(number).lte(limit))
            .to_owned();
        let query = self
            .own_messages()
            .filter(Column::Id.in_subquery(ids))
            .filter(Expr::cust(QUEUED))
            .order_by_asc(Column::Position)
            .order_by_asc(Column::Id);
        let rows = self.rows(query).await?;
        let of = |key: &QueuedReplies| {
            let rows = rows.iter().filter(|row| row.conversation_id == key.conversation);
            rows.take(usize::try_from(key.limit).unwrap_or(usize::MAX)).cloned().collect()
        };
        Ok(keys.iter().map(|key| (*key, of(key))).collect())
    }

    /// The replies of `conversations` with a status, without columns.
    fn unended(&self, conversations: &[Uuid], status: &'static str) -> SelectStatement {
        Query::select()
            .from(Entity)
            .and_where(Column::UserId.eq(self.user()))
            .and_where(Column::ConversationId.is_in(conversations.iter().copied()))
            .and_where(Expr::cust(status))
            .to_owned()
    }
}
