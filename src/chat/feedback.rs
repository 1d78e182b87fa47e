//! Ratings of replies.

use sea_orm::ActiveEnum;
use sea_orm::sea_query::Expr;
use uuid::Uuid;

use super::{Chat, text};
use crate::entity::message::{self, Column, Rating};
use crate::error::Error;

impl Chat {
    /// Sets or removes the rating of a reply, and its comment with it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such reply; [`Error::BadUserInput`] if it has not ended, or if there is
    /// a comment without a rating.
    pub async fn rate_reply(
        &self,
        id: Uuid,
        rating: Option<Rating>,
        comment: Option<&str>,
    ) -> Result<message::Model, Error> {
        let comment = comment.map(text::comment).transpose()?.flatten();
        if rating.is_none() && comment.is_some() {
            return Err(Error::BadUserInput("`comment` needs a `rating`.".to_owned()));
        }
        self.write(comment.map(str::to_owned), move |chat, write, comment| {
            Box::pin(async move {
                if !chat.own_reply(write, id).await?.status.is_terminal() {
                    let message = "Only a reply that has ended can be rated.";
                    return Err(Error::BadUserInput(message.to_owned()));
                }
                let feedback = [
                    (Column::Rating, Expr::value(rating.map(|rating| rating.to_value()))),
                    (Column::RatingComment, Expr::value(comment.as_deref())),
                ];
                chat.update_message(write, id, feedback).await
            })
        })
        .await
    }
}
