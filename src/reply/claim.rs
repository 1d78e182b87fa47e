//! What a new reply's row says: whether it may begin, and how often.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};

use super::Replies;
use super::permits::Permit;
use crate::database::Write;
use crate::entity::message::{self, Status};
use crate::error::Error;

const UNDER_WAY: &str = "
SELECT (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'GENERATING') AS running,
    (SELECT COUNT(*) FROM message WHERE user_id = $1 AND status = 'QUEUED') AS waiting";

/// The right to write a reply in this server: its row is leased to it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The reply, as it is stored.
    pub(crate) reply: message::Model,
    /// What the server counts it by.
    pub(crate) permit: Permit,
}

/// A user's replies that have not ended, whichever servers they are of.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(crate) struct UnderWay {
    /// How many are being written.
    running: i64,
    /// How many wait.
    pub(crate) waiting: i64,
}

impl Replies {
    /// Counts the replies of `user` that are under way. Writes of one user follow each other, so that the numbers hold
    /// until the commit.
    pub(crate) async fn under_way(&self, write: &Write, user: &str) -> Result<UnderWay, Error> {
        let statement =
            Statement::from_sql_and_values(write.get_database_backend(), UNDER_WAY, [Value::from(user)]);
        let row = write.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| Error::Internal("a select without a row".to_owned()))?;
        Ok(UnderWay::from_query_result(&row, "")?)
    }

    /// Whether one more reply of a user who has these may be written, in some server.
    pub(crate) fn may_begin(&self, under_way: UnderWay) -> bool {
        under_way.running < i64::from(self.options().user_replies)
    }

    /// The permit to write a reply that is being asked for in this server; `None` if it has no room.
    pub(crate) fn permit(&self) -> Option<Permit> {
        self.0.permits.take()
    }

    /// Fills in a new reply: leased to this server if there is a permit, queued otherwise.
    pub(crate) fn admit(&self, reply: &mut message::Model, permit: Option<&Permit>, now: DateTimeUtc) {
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
