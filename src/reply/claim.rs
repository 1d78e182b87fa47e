//! The lease and the status with which a reply begins.

use sea_orm::FromQueryResult;
use sea_orm::prelude::DateTimeUtc;
use uuid::Uuid;

use super::Replies;
use super::history::{Instructions, NewTurn};
use super::permits::ReplyPermit;
use crate::database::Write;
use crate::entity::message::{self, Parameters, Status};
use crate::error::Error;

/// What is needed to know before a reply is asked for in conversation `$2`, in one statement.
const CONTEXT: &str = "
SELECT (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'GENERATING') AS generating,
    (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'QUEUED') AS queued,
    conversation.assistant_id AS conversation_assistant_id, conversation.parameters AS conversation_parameters,
    conversation.instructions AS conversation_instructions,
    viewer.assistant_id AS viewer_assistant_id, viewer.instructions AS viewer_instructions
FROM (SELECT 1) AS one
    LEFT JOIN conversation_setting AS conversation ON conversation.user_id = $1 AND conversation.conversation_id = $2
    LEFT JOIN viewer_setting AS viewer ON viewer.user_id = $1";

/// A reply that is leased to this server, and the permit to generate it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The reply, as it is stored.
    pub(crate) reply: message::Model,
    /// Counts it among the server's running replies.
    pub(crate) permit: ReplyPermit,
    /// What asks for it, if that is known.
    pub(crate) turn: Option<NewTurn>,
}

/// What a write knows of a user before it asks for a reply.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct ReplyContext {
    /// How many of the user's replies are running, on all servers.
    generating: i64,
    /// How many are queued.
    pub(crate) queued: i64,
    #[sea_orm(nested)]
    pub(crate) settings: ChosenSettings,
    #[sea_orm(nested)]
    pub(crate) instructions: Instructions,
}

/// What was chosen for a conversation, and for all of the user's.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct ChosenSettings {
    pub(crate) conversation_assistant_id: Option<String>,
    pub(crate) conversation_parameters: Option<Parameters>,
    pub(crate) viewer_assistant_id: Option<String>,
}

impl Replies {
    /// What is known of `user` before a reply is asked for in a conversation. One user's writes run one after another, so
    /// it holds until the commit.
    pub(crate) async fn context(
        &self,
        write: &Write,
        user: &str,
        conversation: Uuid,
    ) -> Result<ReplyContext, Error> {
        Ok(write.only(CONTEXT, [user.into(), conversation.into()]).await?)
    }

    /// Whether another reply of the user may run, on whichever server.
    pub(crate) fn may_generate(&self, context: &ReplyContext) -> bool {
        context.generating < i64::from(self.options().user_replies)
    }

    /// Takes a permit for a new reply; `None` if this server has none left.
    pub(crate) fn permit(&self) -> Option<ReplyPermit> {
        self.0.permits.take()
    }

    /// Takes a permit for a new reply, if there is one; a reply without one is not waited for.
    pub(crate) fn spare_permit(&self) -> Option<ReplyPermit> {
        if self.0.permits.left() == 0 { None } else { self.permit() }
    }

    /// The claim of a reply that a write has leased to this server whose answer was lost. `None` if the lease is another
    /// server's by now, or no permit is left: the reply is then taken over once the lease has expired.
    pub(crate) fn claim_again(&self, reply: &message::Model) -> Option<Claim> {
        if reply.lease_owner != Some(self.server()) || self.is_running(reply.id) {
            return None;
        }
        Some(Claim { reply: reply.clone(), permit: self.0.permits.take_for_queued()?, turn: None })
    }

    /// How often a new reply may be restarted.
    pub(crate) fn restarts(&self) -> i32 {
        i32::try_from(self.options().attempts).unwrap_or(i32::MAX).saturating_sub(1)
    }

    /// Leases `reply` to this server if there is a permit, and queues it otherwise.
    pub(crate) fn lease_or_queue(
        &self,
        reply: &mut message::Model,
        permit: Option<&ReplyPermit>,
        now: DateTimeUtc,
    ) {
        reply.restarts_left = self.restarts();
        if permit.is_none() {
            reply.status = Status::Queued;
        } else {
            reply.status = Status::Generating;
            reply.attempt += 1;
            reply.lease_owner = Some(self.server());
            reply.lease_until = Some(now + self.options().lease);
        }
    }
}
