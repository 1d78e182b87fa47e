//! Replies of the viewer while they are under way, and after they ended badly.

use futures_util::stream::BoxStream;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveEnum, ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use super::tree::settled;
use super::{AfterCommit, Chat};
use crate::database::Write;
use crate::entity::message::{self, Column, Entity, Role, Status, ToolCalls};
use crate::error::Error;
use crate::reply::{Claim, Event, Place};
use crate::search::{self, Entry};
use crate::signal::Topic;

impl Chat {
    /// Waits until a reply has ended, whichever server writes it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply, or no longer.
    pub async fn reply_ended(&self, id: Uuid) -> Result<message::Model, Error> {
        self.replies.ended(self.user(), id).await
    }

    /// Follows a reply from a place on; see [`crate::reply::Replies::progress`].
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply.
    pub async fn reply_progress(
        &self,
        id: Uuid,
        after: Option<Place>,
    ) -> Result<BoxStream<'static, Result<(Event, Place), Error>>, Error> {
        match self.replies.status(self.user(), id).await {
            Ok(None) => return Err(Error::NotFound("reply")),
            Err(error) if !error.is_unavailable() => return Err(error),
            // While the database is away a reader waits for the reply, as it does later on.
            Ok(Some(_)) | Err(_) => {}
        }
        Ok(self.replies.progress(self.user(), id, after, self.budget.clone()))
    }

    /// Stops a reply, whichever server writes it, and returns it once it has ended. What it has of text is kept. A
    /// reply that has ended already stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply.
    pub async fn stop_reply(&self, id: Uuid) -> Result<message::Model, Error> {
        self.write(id, |chat, write, &id| Box::pin(chat.request_stop(write, id))).await?;
        self.reply_ended(id).await
    }

    async fn request_stop(&self, write: &Write, id: Uuid) -> Result<((), AfterCommit), Error> {
        let reply = self.own_reply(write, id).await?;
        let stop = Entity::update_many()
            .col_expr(Column::StopRequestedAt, Expr::value(write.now))
            .col_expr(Column::Revision, Expr::value(write.revision))
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(id));
        let mut due = AfterCommit::default();
        match reply.status {
            Status::Queued => {
                stop.col_expr(Column::Status, Expr::value(Status::Stopped.to_value()))
                    .col_expr(Column::FinishedAt, Expr::value(write.now))
                    .exec(&**write)
                    .await?;
                due.wake.push(Topic::Reply(id));
            }
            Status::Generating => {
                stop.exec(&**write).await?;
                due.wake.push(Topic::Stop(id));
            }
            Status::Complete | Status::Stopped | Status::Failed => due = AfterCommit::nothing(),
        }
        Ok(((), due))
    }

    /// Has a reply that failed or was stopped written anew, as the next attempt of the same reply, and returns at
    /// once. One that is under way already stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply; [`Error::BadUserInput`] if it is complete;
    /// [`Error::TooManyQueued`] if it would have to wait, and no more of the viewer's may.
    pub async fn retry_reply(&self, id: Uuid) -> Result<message::Model, Error> {
        self.write(id, |chat, write, &id| Box::pin(chat.retry(write, id))).await
    }

    async fn retry(&self, write: &Write, id: Uuid) -> Result<(message::Model, AfterCommit), Error> {
        let mut reply = self.own_reply(write, id).await?;
        match reply.status {
            Status::Queued | Status::Generating => return Ok((reply, AfterCommit::nothing())),
            Status::Complete => {
                let message = "Only a reply that failed or was stopped can be retried.";
                return Err(Error::BadUserInput(message.to_owned()));
            }
            Status::Stopped | Status::Failed => {}
        }
        let conversation = settled(self.update_conversation(write, reply.conversation_id, []).await?)?;
        let busy = self.tail(write, &conversation).await?.busy;
        let mut due = AfterCommit { wake: vec![Topic::Reply(id)], ..AfterCommit::default() };
        let permit = self.permit_reply(write, busy, &mut due).await?;
        self.replies.admit(&mut reply, permit.as_ref(), write.now);
        if permit.is_some() {
            reply.content.clear();
            reply.tool_calls = ToolCalls::default();
            reply.model = None;
            search::store_message(write, self.user(), id, &Entry::default()).await?;
        }
        let reply = self.revive(write, reply).await?;
        due.begin = permit.map(|permit| Claim { reply: reply.clone(), permit });
        Ok((reply, due))
    }

    /// Stores a reply that is under way again.
    async fn revive(&self, write: &Write, reply: message::Model) -> Result<message::Model, Error> {
        let revived = message::Model {
            finish_reason: None,
            failure: None,
            usage: None,
            // What was rated is no more.
            rating: None,
            rating_comment: None,
            stop_requested_at: None,
            finished_at: None,
            revision: write.revision,
            ..reply
        };
        let row = revived.clone().into_active_model().reset_all();
        Entity::update_many()
            .set(row)
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(revived.id))
            .exec(&**write)
            .await?;
        Ok(revived)
    }

    pub(super) async fn own_reply(&self, write: &Write, id: Uuid) -> Result<message::Model, Error> {
        let row = self
            .own_messages()
            .filter(Column::Id.eq(id))
            .filter(Column::Role.eq(Role::Assistant))
            .one(&**write)
            .await?;
        row.ok_or(Error::NotFound("reply"))
    }
}
