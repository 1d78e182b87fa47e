//! Conversations of the viewer.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use uuid::Uuid;

use super::{Aftermath, Chat, ConversationCursor, Page, Slice, text};
use crate::database::Write;
use crate::entity::conversation::{self, Column, Entity};
use crate::entity::message;
use crate::error::Error;
use crate::search;

impl Chat {
    /// The viewer's conversations: the start of every query of them.
    fn own_conversations(&self) -> Select<Entity> {
        Entity::find().filter(Column::UserId.eq(self.user())).filter(Column::DeletedAt.is_null())
    }

    /// The conversation, if the viewer has it.
    pub async fn conversation(&self, id: Uuid) -> Result<Option<conversation::Model>, Error> {
        let query = self.own_conversations().filter(Column::Id.eq(id));
        self.database.read(|connection| query.clone().one(connection)).await
    }

    /// Those of `ids` that the viewer has.
    pub async fn conversations_by_id(&self, ids: &[Uuid]) -> Result<Vec<conversation::Model>, Error> {
        let query = self.own_conversations().filter(Column::Id.is_in(ids.iter().copied()));
        self.database.read(|connection| query.clone().all(connection)).await
    }

    /// A page of the viewer's conversations, newest activity first.
    pub async fn conversations(
        &self,
        slice: Slice<ConversationCursor>,
    ) -> Result<Page<conversation::Model>, Error> {
        let mut query = self.own_conversations();
        if let Some(place) = slice.after {
            query = query.filter(beside(place, false));
        }
        if let Some(place) = slice.before {
            query = query.filter(beside(place, true));
        }
        let order = if slice.from_end { Order::Asc } else { Order::Desc };
        query = query
            .order_by(Column::UpdatedAt, order.clone())
            .order_by(Column::Id, order)
            .limit(slice.limit + 1);
        let rows = self.database.read(|connection| query.clone().all(connection)).await?;
        Ok(Page::from_rows(rows, &slice))
    }

    /// How many conversations the viewer has.
    pub async fn conversation_count(&self) -> Result<u64, Error> {
        let query = self.own_conversations();
        self.database.read(|connection| query.clone().count(connection)).await
    }

    /// Starts a conversation without messages.
    pub async fn create_conversation(&self, title: Option<&str>) -> Result<conversation::Model, Error> {
        let title = title.map(text::title).transpose()?;
        let created = self
            .database
            .write(self.user(), |write| async move {
                let row = self.new_conversation(&write, title.map(str::to_owned), 0);
                Entity::insert(row.clone().into_active_model()).exec_without_returning(&*write).await?;
                search::index_title(&write, &row).await?;
                Ok((write, row))
            })
            .await?;
        self.follow_up(Aftermath::default());
        Ok(created)
    }

    /// Gives a conversation another title.
    pub async fn rename_conversation(&self, id: Uuid, title: &str) -> Result<conversation::Model, Error> {
        let title = text::title(title)?;
        let renamed = self
            .database
            .write(self.user(), |write| async move {
                let row = self.update_conversation(&write, id, [(Column::Title, Expr::value(title))]).await?;
                search::index_title(&write, &row).await?;
                Ok((write, row))
            })
            .await?;
        self.follow_up(Aftermath::default());
        Ok(renamed)
    }

    /// Erases a conversation and all its messages. A tombstone without content stays, from which the viewer's
    /// other devices learn of it.
    pub async fn delete_conversation(&self, id: Uuid) -> Result<(), Error> {
        self.database
            .write(self.user(), |write| async move {
                let bury = [
                    (Column::DeletedAt, Expr::value(write.now)),
                    (Column::Title, Expr::value(None::<String>)),
                    (Column::LastPosition, Expr::value(0)),
                ];
                let tombstone = self.update_conversation(&write, id, bury).await?;
                search::index_title(&write, &tombstone).await?;
                message::Entity::delete_many()
                    .filter(message::Column::UserId.eq(self.user()))
                    .filter(message::Column::ConversationId.eq(id))
                    .exec(&*write)
                    .await?;
                Ok((write, ()))
            })
            .await?;
        self.follow_up(Aftermath::default());
        Ok(())
    }

    /// The conversation, as the transaction sees it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such conversation.
    pub(super) async fn conversation_within(
        &self,
        write: &Write,
        id: Uuid,
    ) -> Result<conversation::Model, Error> {
        let row = self.own_conversations().filter(Column::Id.eq(id)).one(&**write).await?;
        row.ok_or(Error::NotFound("conversation"))
    }

    /// A new conversation's row, not yet stored.
    pub(super) fn new_conversation(
        &self,
        write: &Write,
        title: Option<String>,
        last_position: i64,
    ) -> conversation::Model {
        conversation::Model {
            user_id: self.user().to_owned(),
            id: Uuid::now_v7(),
            title,
            last_position,
            created_at: write.now,
            updated_at: write.now,
            archived_at: None,
            pinned_at: None,
            deleted_at: None,
            revision: write.revision,
        }
    }

    /// Changes one of the viewer's conversations and returns it as it now is.
    pub(super) async fn update_conversation(
        &self,
        write: &Write,
        id: Uuid,
        changes: impl IntoIterator<Item = (Column, SimpleExpr)>,
    ) -> Result<conversation::Model, Error> {
        let mut update = Entity::update_many()
            .col_expr(Column::Revision, Expr::value(write.revision))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(id))
            .filter(Column::DeletedAt.is_null());
        for (column, value) in changes {
            update = update.col_expr(column, value);
        }
        update.exec_with_returning(&**write).await?.pop().ok_or(Error::NotFound("conversation"))
    }
}

/// What lies on one side of a place in the list, newest activity first.
fn beside(place: ConversationCursor, newer: bool) -> SimpleExpr {
    let row = Expr::tuple([Expr::col(Column::UpdatedAt), Expr::col(Column::Id)]);
    let place = Expr::tuple([Expr::value(place.updated_at), Expr::value(place.id)]);
    if newer { row.gt(place) } else { row.lt(place) }
}
