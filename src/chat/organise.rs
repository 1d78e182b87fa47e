//! Pins, the archive and metadata.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use uuid::Uuid;

use super::{Chat, Metadata};
use crate::entity::conversation::{self, Column};
use crate::error::Error;

impl Chat {
    /// Pins a conversation. One that is pinned keeps its date.
    pub async fn pin_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.set_date(id, Column::PinnedAt).await
    }

    /// Unpins a conversation.
    pub async fn unpin_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.set_column(id, Column::PinnedAt, Expr::value(None::<DateTimeUtc>)).await
    }

    /// Archives a conversation. It can still be read and continued.
    pub async fn archive_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.set_date(id, Column::ArchivedAt).await
    }

    /// Unarchives a conversation.
    pub async fn unarchive_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.set_column(id, Column::ArchivedAt, Expr::value(None::<DateTimeUtc>)).await
    }

    /// Replaces the metadata of a conversation.
    pub async fn set_conversation_metadata(
        &self,
        id: Uuid,
        metadata: Metadata,
    ) -> Result<conversation::Model, Error> {
        self.set_column(id, Column::Metadata, Expr::value(metadata.into_text())).await
    }

    async fn set_column(
        &self,
        id: Uuid,
        column: Column,
        value: SimpleExpr,
    ) -> Result<conversation::Model, Error> {
        self.write(value, move |chat, write, value| {
            Box::pin(async move { chat.update_conversation(write, id, [(column, value.clone())]).await })
        })
        .await
    }

    /// Sets `column` to the present, unless it has a date.
    async fn set_date(&self, id: Uuid, column: Column) -> Result<conversation::Model, Error> {
        self.write((), move |chat, write, ()| {
            Box::pin(async move {
                let date = Func::coalesce([Expr::col(column), Expr::value(write.now)]);
                chat.update_conversation(write, id, [(column, date.into())]).await
            })
        })
        .await
    }
}
