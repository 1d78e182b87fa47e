//! Keeping conversations in order: pins, the archive, and what clients note down.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use uuid::Uuid;

use super::{AfterCommit, Chat, Metadata};
use crate::entity::conversation::{self, Column};
use crate::entity::message;
use crate::error::Error;

impl Chat {
    /// Pins a conversation. One that is pinned already stays where it is.
    pub async fn pin_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.date(id, Column::PinnedAt).await
    }

    /// Takes a conversation's pin away.
    pub async fn unpin_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.change(id, Column::PinnedAt, Expr::value(None::<DateTimeUtc>)).await
    }

    /// Puts a conversation out of sight, until it is taken out of the archive; it can be read and continued there.
    pub async fn archive_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.date(id, Column::ArchivedAt).await
    }

    /// Takes a conversation out of the archive.
    pub async fn unarchive_conversation(&self, id: Uuid) -> Result<conversation::Model, Error> {
        self.change(id, Column::ArchivedAt, Expr::value(None::<DateTimeUtc>)).await
    }

    /// Replaces what the client keeps of its own beside a conversation.
    pub async fn set_conversation_metadata(
        &self,
        id: Uuid,
        metadata: Metadata,
    ) -> Result<conversation::Model, Error> {
        self.change(id, Column::Metadata, Expr::value(metadata.into_text())).await
    }

    /// Replaces what the client keeps of its own beside a message.
    pub async fn set_message_metadata(&self, id: Uuid, metadata: Metadata) -> Result<message::Model, Error> {
        self.write(metadata.into_text(), move |chat, write, metadata| {
            Box::pin(async move {
                let metadata = [(message::Column::Metadata, Expr::value(metadata.as_str()))];
                Ok((chat.update_message(write, id, metadata).await?, AfterCommit::default()))
            })
        })
        .await
    }

    async fn change(
        &self,
        id: Uuid,
        column: Column,
        value: SimpleExpr,
    ) -> Result<conversation::Model, Error> {
        self.write(value, move |chat, write, value| {
            Box::pin(async move {
                let row = chat.update_conversation(write, id, [(column, value.clone())]).await?;
                Ok((row, AfterCommit::default()))
            })
        })
        .await
    }

    /// Fills in the present where `column` has no date yet.
    async fn date(&self, id: Uuid, column: Column) -> Result<conversation::Model, Error> {
        self.write((), move |chat, write, ()| {
            Box::pin(async move {
                let date = Func::coalesce([Expr::col(column), Expr::value(write.now)]);
                let row = chat.update_conversation(write, id, [(column, date.into())]).await?;
                Ok((row, AfterCommit::default()))
            })
        })
        .await
    }
}
