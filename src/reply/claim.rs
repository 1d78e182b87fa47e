//! The lease and the status with which a reply begins.

use sea_orm::FromQueryResult;
use sea_orm::prelude::DateTimeUtc;

use super::Replies;
use super::permits::ReplyPermit;
use crate::database::Write;
use crate::entity::message::{self, Status};
use crate::error::Error;

const REPLY_COUNTS: &str = "
SELECT (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'GENERATING') AS generating,
    (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'QUEUED') AS queued";

/// A reply that is leased to this server, and the permit to generate it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The reply, as it is stored.
    pub(crate) reply: message::Model,
    /// Counts it among the server's running replies.
    pub(crate) permit: ReplyPermit,
}

/// How many of a user's replies have not ended, on all servers.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(crate) struct ReplyCounts {
    /// How many are running.
    generating: i64,
    /// How many are queued.
    pub(crate) queued: i64,
}

impl Replies {
    /// Counts the replies of `user` that have not ended. One user's writes run one after another, so the numbers hold
    /// until the commit.
    pub(crate) async fn reply_counts(&self, write: &Write, user: &str) -> Result<ReplyCounts, Error> {
        Ok(write.only(REPLY_COUNTS, [user.into()]).await?)
    }

    /// Whether another reply of the user may run, on whichever server.
    pub(crate) fn may_generate(&self, counts: ReplyCounts) -> bool {
        counts.generating < i64::from(self.options().user_replies)
    }

    /// Takes a permit for a new reply; `None` if this server has none left.
    pub(crate) fn permit(&self) -> Option<ReplyPermit> {
        self.0.permits.take()
    }

    /// Leases `reply` to this server if there is a permit, and queues it otherwise.
    pub(crate) fn lease_or_queue(
        &self,
        reply: &mut message::Model,
        permit: Option<&ReplyPermit>,
        now: DateTimeUtc,
    ) {
        let attempts = i32::try_from(self.options().attempts).unwrap_or(i32::MAX);
        reply.restarts_left = attempts.saturating_sub(1);
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
