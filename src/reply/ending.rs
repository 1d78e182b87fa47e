//! Closing an attempt, and starting the user's next queued reply.

use std::sync::Arc;

use sea_orm::DbBackend;
use uuid::Uuid;

use super::closing::{Closed, close, usual_end};
use super::draft::Draft;
use super::{Claim, Replies};
use crate::database::Write;
use crate::entity::message::{self, Failure, FailureCode, FinishReason, Status, Usage};
use crate::error::Error;
use crate::index::{self, Entry};
use crate::signal::Topic;

/// What is stored when an attempt ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: Status,
    pub(super) draft: Draft,
    pub(super) finish_reason: Option<FinishReason>,
    pub(super) failure: Option<Failure>,
    pub(super) model: Option<String>,
    pub(super) usage: Option<Usage>,
}

/// What the end of an attempt has stored.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` if the attempt was no longer this server's.
    pub(super) closed: Option<Closed>,
    /// The user's next reply, which is leased to this server.
    pub(super) next: Option<message::Model>,
}

impl Replies {
    /// Closes the attempt of `reply` and leases the user's next queued reply to this server, in one transaction. The entry
    /// goes into the search index.
    ///
    /// Nothing is stored if the attempt is no longer this server's.
    pub(super) async fn end(
        &self,
        reply: &message::Model,
        ending: &Arc<(Ending, Entry)>,
    ) -> Result<Ended, Error> {
        let is_postgres = self.0.database.backend() == DbBackend::Postgres;
        let usual = if is_postgres { usual_end(reply, ending) } else { None };
        // Otherwise the permit goes to a reply that waits for one.
        let reuse_permit = self.0.permits.may_be_reused();
        let input = (self.clone(), reply.clone(), ending.clone());
        let ended = self
            .0
            .database
            .write_fast_to_outcome(
                &reply.user_id,
                |_| usual,
                input,
                move |write, (replies, reply, ending)| {
                    Box::pin(async move {
                        let closed = close(write, reply, &ending.0, &ending.1).await?;
                        let promotes = reuse_permit && (closed.is_some() || write.uncertain);
                        let next =
                            if promotes { replies.promote(write, &reply.user_id).await? } else { None };
                        Ok(Ended { closed, next })
                    })
                },
            )
            .await?;
        self.signal_change(&reply.user_id, reply.id);
        if ended.closed.is_some() && ending.0.status == Status::Complete {
            self.request_title(reply);
        }
        if !reuse_permit {
            self.signal(Topic::Claimable);
        }
        Ok(ended)
    }

    /// Leases the user's next queued reply to this server, if there is one and a permit is free. The caller writes the
    /// claimed reply once the transaction is committed.
    pub(crate) async fn claim_next(&self, write: &Write, user: &str) -> Result<Option<Claim>, Error> {
        let Some(permit) = self.0.permits.take() else { return Ok(None) };
        let reply = self.promote(write, user).await?;
        Ok(reply.map(|reply| Claim { reply, permit, turn: None }))
    }

    /// Signals readers of a reply, and the user's devices, that it has changed.
    pub(super) fn signal_change(&self, user: &str, reply: Uuid) {
        self.signal(Topic::Reply(reply));
        self.signal(Topic::of_user(user));
    }
}

/// The failure of a reply whose servers were lost more often than it has attempts.
pub(super) fn interrupted() -> Failure {
    Failure {
        code: FailureCode::Interrupted,
        message: "The server that wrote this reply stopped before its end.".to_owned(),
        retryable: true,
    }
}

/// Starts the first queued reply of one conversation: of those in which no reply is running, the one whose oldest
/// queued reply was asked for first. Starts none if `$5` replies of the user are running.
const PROMOTE: &str = "
UPDATE message
SET status = 'GENERATING', attempt = attempt + 1, lease_owner = $2, lease_until = $3, revision = $4,
    content = '', reasoning = '', parts = '[]', model = NULL
WHERE user_id = $1 AND id = (
    SELECT id FROM message
    WHERE user_id = $1 AND status = 'QUEUED' AND conversation_id = (
        SELECT conversation_id FROM message AS waiting
        WHERE user_id = $1 AND status = 'QUEUED' AND NOT EXISTS (
            SELECT 1 FROM message AS running
            WHERE running.user_id = $1 AND running.conversation_id = waiting.conversation_id
                AND running.status = 'GENERATING'
        )
        ORDER BY created_revision LIMIT 1
    )
    ORDER BY position, id LIMIT 1
) AND (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'GENERATING') < $5
RETURNING *";

impl Replies {
    /// Leases the user's next queued reply to this server, if one may start.
    pub(super) async fn promote(&self, write: &Write, user: &str) -> Result<Option<message::Model>, Error> {
        let options = &self.0.options;
        let (lease_until, maximum) = (write.now + options.lease, i64::from(options.user_replies));
        let values =
            [user.into(), self.0.server.into(), lease_until.into(), write.revision.into(), maximum.into()];
        let promoted: Option<message::Model> = write.first(PROMOTE, values).await?;
        if let Some(again) = promoted.as_ref().filter(|reply| reply.attempt > 1) {
            // The text of the attempt before is discarded.
            index::store_message(write, user, again.id, &Entry::default()).await?;
        }
        Ok(promoted)
    }
}
