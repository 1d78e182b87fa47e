//! Beginning replies that wait for room, users in turn.

use sea_orm::{DbErr, Statement, Value};

use super::permits::Permit;
use super::sweep::{BATCH, Rescues};
use super::{Claim, Replies};
use crate::error::Error;

/// At most `$3` users after `$1`, in order, who have a reply that waits in a conversation in which none is being
/// written, and fewer than `$2` that are. One step of the recursion finds the next user in the index, however many
/// replies the one before has waiting; it goes no further than it must.
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

/// Whose turn it is: the users come round in the order of their ids, one reply each.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Who had the last one.
    last: String,
}

impl Replies {
    /// Begins replies that wait, as many as there is room for in this server.
    pub(super) async fn begin_waiting(&self, rescues: &Rescues, turn: &mut Turn) -> Result<(), Error> {
        let room = self.0.permits.left().min(BATCH);
        if room == 0 {
            return Ok(());
        }
        let users = self.startable(turn, room).await?;
        if users.is_empty() {
            self.0.permits.forget_waiting();
        }
        for user in users {
            let Some(under_way) = rescues.begin(&user) else { continue };
            let Some(permit) = self.0.permits.take_in_turn() else { return Ok(()) };
            turn.last.clone_from(&user);
            let replies = self.clone();
            self.rescue(under_way, async move { replies.begin_next(&user, permit).await });
        }
        Ok(())
    }

    /// Up to `count` users of whom a reply may begin, in turn.
    async fn startable(&self, turn: &Turn, count: usize) -> Result<Vec<String>, Error> {
        let mut users = self.startable_after(&turn.last, count).await?;
        if users.len() < count && !turn.last.is_empty() {
            let round = self.startable_after("", count).await?;
            let rest = round.into_iter().take_while(|user| *user <= turn.last);
            users.extend(rest.take(count - users.len()));
        }
        Ok(users)
    }

    async fn startable_after(&self, user: &str, count: usize) -> Result<Vec<String>, Error> {
        let values = [
            Value::from(user),
            Value::from(i64::from(self.0.options.user_replies)),
            Value::from(i64::try_from(count).unwrap_or(i64::MAX)),
        ];
        let statement = Statement::from_sql_and_values(self.0.database.backend(), STARTABLE, values);
        let rows = self.0.database.rows(statement).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>()?)
    }

    /// Gives the next of a user's replies that wait to this server.
    async fn begin_next(&self, user: &str, permit: Permit) -> Result<Option<Claim>, Error> {
        let input = (self.clone(), user.to_owned());
        let reply = self
            .0
            .database
            .write(user, input, |write, (replies, user)| Box::pin(replies.promote(write, user)))
            .await?;
        Ok(reply.map(|reply| {
            self.announce(user, reply.id);
            Claim { reply, permit }
        }))
    }
}
