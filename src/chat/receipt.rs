//! Receipts: a request that is repeated with the same idempotency key finds the rows of the first one.

use ring::digest::{self, SHA256};
use sea_orm::{EntityTrait, Value};
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

/// The rows that a request creates. Their ids are chosen before anything is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Created {
    /// A conversation.
    pub(super) conversation: Option<Uuid>,
    /// A user's message.
    pub(super) message: Option<Uuid>,
    /// A reply.
    pub(super) reply: Option<Uuid>,
}

impl IdempotentRequest {
    /// The request for `operation` with `arguments`; `None` without a key.
    pub(super) fn new(
        key: Option<&str>,
        operation: &str,
        arguments: &[&[u8]],
    ) -> Result<Option<Self>, Error> {
        let Some(key) = key.map(text::idempotency_key).transpose()? else { return Ok(None) };
        let mut context = digest::Context::new(&SHA256);
        for part in [operation.as_bytes()].iter().chain(arguments) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let digest = context.finish().as_ref().to_vec();
        Ok(Some(Self { key: key.to_owned(), digest }))
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What the `earlier` request with this key has created.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`] if it asked for something else; [`Error::NotFound`] if its message is deleted.
    pub(super) fn created_by(&self, earlier: receipt::Model) -> Result<Created, Error> {
        match earlier.request_digest {
            None => Err(Error::NotFound("message")),
            Some(digest) if digest != self.digest => Err(Error::IdempotencyMismatch),
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
    /// created.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`] if the earlier request asked for something else; [`Error::NotFound`] if its
    /// message is deleted.
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
        let key = (self.user().to_owned(), request.key.clone());
        let earlier = loop {
            if write.run(INSERT, values.clone()).await? == 1 {
                return Ok(None);
            }
            // It may have been deleted since then, as old ones are.
            if let Some(earlier) = receipt::Entity::find_by_id(key.clone()).one(&**write).await? {
                break earlier;
            }
        };
        request.created_by(earlier).map(Some)
    }
}
