//! Starting queued replies, users in turn.

use sea_orm::DbErr;

use super::pending::PendingClaims;
use super::permits::ReplyPermit;
use super::{Claim, Replies};
use crate::error::Error;

/// How many replies one sweep takes over or starts; the next sweep takes more.
pub(super) const BATCH: usize = 64;

/// At most `$3` users after `$1`, in order of id, who have fewer than `$2` running replies, and a queued one in a
/// conversation without a running one. Each step of the recursion finds the next user in the index, however many queued
/// replies the user before has; it stops at the limit.
const STARTABLE: &str = "
WITH RECURSIVE waiting (user_id) AS (
    SELECT (SELECT user_id FROM message WHERE status = 'QUEUED' AND user_id > $1 ORDER BY user_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT message.user_id FROM message
        WHERE status = 'QUEUED' AND message.user_id > waiting.user_id ORDER BY message.user_id LIMIT 1
    )
    FROM waiting WHERE waiting.user_id IS NOT NULL
)
SELECT user_id FROM waiting
WHERE user_id IS NOT NULL
    AND (SELECT COUNT(*) FROM message AS running
        WHERE running.user_id = waiting.user_id AND running.status = 'GENERATING') < $2
    AND EXISTS (
        SELECT 1 FROM message AS queued
        WHERE queued.user_id = waiting.user_id AND queued.status = 'QUEUED' AND NOT EXISTS (
            SELECT 1 FROM message AS running
            WHERE running.user_id = waiting.user_id AND running.conversation_id = queued.conversation_id
                AND running.status = 'GENERATING'
        )
    )
LIMIT $3";

/// Takes one queued reply of each user in the order of their ids, and then begins again.
#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    /// The user whose reply was started last.
    last: String,
}

impl Replies {
    /// Starts as many queued replies as this server has permits for.
    pub(super) async fn start_queued(
        &self,
        pending: &PendingClaims,
        round_robin: &mut RoundRobin,
    ) -> Result<(), Error> {
        let limit = self.0.permits.left().min(BATCH);
        if limit == 0 {
            return Ok(());
        }
        let users = self.startable(round_robin, limit).await?;
        if users.is_empty() {
            self.0.permits.clear_awaited();
        }
        for user in users {
            let Some(guard) = pending.begin(&user) else { continue };
            let Some(permit) = self.0.permits.take_for_queued() else { return Ok(()) };
            round_robin.last.clone_from(&user);
            let replies = self.clone();
            self.spawn_claim(guard, async move { replies.start_next(&user, permit).await });
        }
        Ok(())
    }

    /// The next users, at most `count`, who have a queued reply that may start.
    async fn startable(&self, round_robin: &RoundRobin, count: usize) -> Result<Vec<String>, Error> {
        let mut users = self.startable_after(&round_robin.last, count).await?;
        if users.len() < count && !round_robin.last.is_empty() {
            let round = self.startable_after("", count).await?;
            let rest = round.into_iter().take_while(|user| *user <= round_robin.last);
            users.extend(rest.take(count - users.len()));
        }
        Ok(users)
    }

    async fn startable_after(&self, user: &str, count: usize) -> Result<Vec<String>, Error> {
        let maximum = i64::from(self.0.options.user_replies);
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let statement = self.0.database.statement(STARTABLE, [user.into(), maximum.into(), limit.into()]);
        let rows = self.0.database.rows(statement).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>()?)
    }

    /// Leases the next queued reply of `user` to this server.
    async fn start_next(&self, user: &str, permit: ReplyPermit) -> Result<Option<Claim>, Error> {
        let input = (self.clone(), user.to_owned());
        let reply = self
            .0
            .database
            .write_to_outcome(user, input, |write, (replies, user)| Box::pin(replies.promote(write, user)))
            .await?;
        Ok(reply.map(|reply| {
            self.signal_change(user, reply.id);
            Claim { reply, permit, turn: None }
        }))
    }
}
