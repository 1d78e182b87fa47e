//! Whether a message was sent before.

use sea_orm::{EntityTrait, QueryTrait};
use uuid::Uuid;

use super::{Chat, SendMessage, text};
use crate::entity::receipt;
use crate::error::Error;

impl Chat {
    /// Whether `request` was carried out before, and has asked for this reply. It is not carried out now.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`] if its key was used for something else; [`Error::NotFound`] if what it made is
    /// deleted.
    pub async fn has_sent(&self, mut request: SendMessage, reply: Uuid) -> Result<bool, Error> {
        request.content = text::message(&request.content, self.limits.message_chars)?.to_owned();
        let Some(request) = request.idempotent()? else { return Ok(false) };
        let key = (self.user().to_owned(), request.key().to_owned());
        let query = receipt::Entity::find_by_id(key).build(self.database.backend());
        let Some(earlier) = self.find::<receipt::Model>(query).await?.pop() else { return Ok(false) };
        Ok(request.created_by(earlier)?.reply == Some(reply))
    }
}
