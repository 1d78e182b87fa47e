//! Receipts: a request that is repeated with the same idempotency key writes nothing, and is answered with the rows of
//! the first one as they are now.

use ring::digest::{self, SHA256};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};
use serde::Serialize;
use uuid::Uuid;

use super::{Chat, text};
use crate::database::Write;
use crate::entity::receipt;
use crate::error::Error;

/// A request with an idempotency key, and a digest of what it asks for.
#[derive(Clone, Debug)]
pub(super) struct IdempotentRequest {
    key: String,
    digest: Vec<u8>,
}

/// The rows that a request creates. Their ids are chosen before anything is written. The digest is deleted with the
/// conversation or the message. A request that changes rows which are there already names neither: a row has any number of
/// those, and all their digests could not be deleted with it at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Created {
    /// A conversation.
    pub(super) conversation: Option<Uuid>,
    /// A message.
    pub(super) message: Option<Uuid>,
    /// A reply, also one that is tried again.
    pub(super) reply: Option<Uuid>,
}

impl IdempotentRequest {
    /// The request for `operation` with `arguments`; `None` without a key. All arguments that are serialized tell
    /// requests apart, except `null`s: a version of the server that knows more arguments must find the receipts of
    /// the version before.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the key has other characters, or more, than it may.
    pub(super) fn new(
        key: Option<&str>,
        operation: &str,
        arguments: &impl Serialize,
    ) -> Result<Option<Self>, Error> {
        let Some(key) = key.map(text::idempotency_key).transpose()? else { return Ok(None) };
        let internal = |error: serde_json::Error| Error::Internal(error.to_string());
        let mut arguments = serde_json::to_value(arguments).map_err(internal)?;
        if let Some(object) = arguments.as_object_mut() {
            object.retain(|_, argument| !argument.is_null());
        }
        let request = serde_json::to_vec(&(operation, arguments)).map_err(internal)?;
        let digest = digest::digest(&SHA256, &request).as_ref().to_vec();
        Ok(Some(Self { key: key.to_owned(), digest }))
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn digest(&self) -> Vec<u8> {
        self.digest.clone()
    }

    /// What the `earlier` request with this key has created.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`] if it asked for something else; [`Error::NotFound`] if its message or conversation
    /// is deleted.
    pub(super) fn created_by(&self, earlier: &receipt::Model) -> Result<Created, Error> {
        match &earlier.request_digest {
            None if earlier.message_id.is_some() => Err(Error::NotFound("message")),
            None => Err(Error::NotFound("conversation")),
            Some(digest) if *digest != self.digest => Err(Error::IdempotencyMismatch),
            Some(_) => Ok(Created {
                conversation: earlier.conversation_id,
                message: earlier.message_id,
                reply: earlier.reply_id,
            }),
        }
    }
}

const INSERT: &str = "
INSERT INTO receipt (user_id, idempotency_key, request_digest, conversation_id, message_id, reply_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id, idempotency_key) DO NOTHING";

impl Chat {
    /// Stores the receipt of a request that is about to make `created`, or returns what an earlier one with its key has
    /// created. A caller that gets `Some` writes nothing, and answers with the present rows through
    /// [`unchanged`](super::unchanged).
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`] if the earlier request asked for something else; [`Error::NotFound`] if its
    /// message or conversation is deleted.
    pub(super) async fn record_receipt(
        &self,
        write: &Write,
        request: Option<&IdempotentRequest>,
        created: Created,
    ) -> Result<Option<Created>, Error> {
        let Some(request) = request else { return Ok(None) };
        let values: [Value; 7] = [
            self.user().into(),
            request.key.as_str().into(),
            request.digest.clone().into(),
            created.conversation.into(),
            created.message.into(),
            created.reply.into(),
            write.now.into(),
        ];
        loop {
            if write.run(INSERT, values.clone()).await? == 1 {
                return Ok(None);
            }
            // It may have been deleted since then, as old ones are.
            if let Some(earlier) = self.find_receipt(write, Some(request)).await? {
                return Ok(Some(earlier));
            }
        }
    }

    /// What an earlier request with the key of `request` has created, if there was one.
    ///
    /// # Errors
    /// As [`Self::record_receipt`].
    pub(super) async fn find_receipt(
        &self,
        write: &Write,
        request: Option<&IdempotentRequest>,
    ) -> Result<Option<Created>, Error> {
        let (Some(request), Some(earlier)) = (request, self.earlier_receipt(write, request).await?) else {
            return Ok(None);
        };
        request.created_by(&earlier).map(Some)
    }

    /// The receipt of an earlier request with the key of `request`, if there was one.
    ///
    /// # Errors
    /// As [`Self::record_receipt`].
    pub(super) async fn earlier_receipt(
        &self,
        write: &Write,
        request: Option<&IdempotentRequest>,
    ) -> Result<Option<receipt::Model>, Error> {
        let Some(request) = request else { return Ok(None) };
        let earlier = receipt::Entity::find_by_id((self.user().to_owned(), request.key.clone()));
        let earlier = earlier.one(&**write).await?;
        if let Some(earlier) = &earlier {
            request.created_by(earlier)?;
        }
        Ok(earlier)
    }

    /// Notes whether more transactions are to do what `request` asks for.
    pub(super) async fn mark_unfinished(
        &self,
        write: &Write,
        request: Option<&IdempotentRequest>,
        unfinished: bool,
    ) -> Result<(), Error> {
        let Some(request) = request else { return Ok(()) };
        receipt::Entity::update_many()
            .col_expr(receipt::Column::Unfinished, Expr::value(unfinished))
            .filter(receipt::Column::UserId.eq(self.user()))
            .filter(receipt::Column::IdempotencyKey.eq(request.key.as_str()))
            .exec(&**write)
            .await?;
        Ok(())
    }

    /// As [`Self::record_receipt`], for a request that creates nothing. Returns whether it was carried out before.
    pub(super) async fn is_repeated(
        &self,
        write: &Write,
        request: Option<&IdempotentRequest>,
    ) -> Result<bool, Error> {
        Ok(self.record_receipt(write, request, Created::default()).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{ConversationChanges, UpdateConversation};
    use super::*;

    fn digest(operation: &str, arguments: &Value) -> Vec<u8> {
        IdempotentRequest::new(Some("key"), operation, arguments).unwrap().unwrap().digest
    }

    #[test]
    fn each_argument_tells_requests_apart_but_one_that_is_left_out() {
        let arguments = json!({ "content": "hello", "on_busy": "Enqueue" });
        let first = digest("sendMessage", &arguments);
        assert_eq!(
            digest("sendMessage", &json!({ "content": "hello", "on_busy": "Enqueue", "new": null })),
            first
        );
        assert_ne!(digest("editMessage", &arguments), first);
        for other in [
            json!({ "content": "hello!", "on_busy": "Enqueue" }),
            json!({ "content": "hello", "on_busy": "Reject" }),
            json!({ "content": "hello" }),
            json!({ "content": "hello", "on_busy": "Enqueue", "new": false }),
        ] {
            assert_ne!(digest("sendMessage", &other), first, "{other}");
        }
    }

    #[test]
    fn a_change_that_is_left_out_does_not_tell_requests_apart() {
        let request = UpdateConversation {
            id: Uuid::nil(),
            changes: ConversationChanges { pinned: Some(true), ..ConversationChanges::default() },
            if_revision: None,
            idempotency_key: None,
        };
        let of_request =
            IdempotentRequest::new(Some("key"), "updateConversation", &request).unwrap().unwrap();
        let arguments = json!({ "id": Uuid::nil(), "pinned": true });
        assert_eq!(of_request.digest, digest("updateConversation", &arguments));
    }

    #[test]
    fn the_digest_of_a_request_stays_the_same_in_later_versions() {
        let digest = digest("sendMessage", &json!({ "on_busy": "Enqueue", "content": "hello" }));
        assert_eq!(digest[..8], [0x21, 0x6c, 0x77, 0x8f, 0x65, 0xb6, 0xb4, 0x6a]);
    }
}
