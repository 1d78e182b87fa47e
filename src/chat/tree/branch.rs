//! The branch that ends with a message: reading it, and leading the active path along it.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};
use uuid::Uuid;

use super::super::{Chat, Span};
use super::climb::one_by_one;
use super::steps::STEP;
use crate::database::Write;
use crate::entity::message;
use crate::error::Error;

/// From message `$2` of user `$1` upwards, to the first message on the active path. The further way is the path's
/// own, and known by positions: nothing has to climb it.
pub(super) const BRANCH: &str = "
WITH RECURSIVE branch (id, parent_id, position, active) AS (
    SELECT id, parent_id, position, active FROM message WHERE user_id = $1 AND id = $2
    UNION ALL
    SELECT above.id, above.parent_id, above.position, above.active
    FROM branch CROSS JOIN message AS above
    WHERE above.user_id = $1 AND above.id = branch.parent_id AND NOT branch.active
)";

/// After [`BRANCH`]: the whole way from the start of conversation `$3`, as far as it is from position `$4` to
/// before `$5`.
pub(super) const WAY: &str = ",
way AS (
    SELECT * FROM message
    WHERE user_id = $1 AND conversation_id = $3 AND active AND position >= $4 AND position < $5
        AND position <= (SELECT COALESCE(MAX(position), 0) FROM branch WHERE active)
    UNION ALL
    SELECT * FROM message
    WHERE user_id = $1 AND id IN (SELECT id FROM branch WHERE NOT active AND position >= $4 AND position < $5)
)";

/// As [`BRANCH`], but not above position `$4`.
const NEAR: (&str, &str) = ("AND NOT branch.active", "AND NOT branch.active AND branch.position > $4");

const STANDING: &str = "
SELECT
    (SELECT MAX(position) FROM branch WHERE active) AS meeting,
    (SELECT MIN(position) FROM branch) AS top,
    (SELECT last_position FROM conversation WHERE user_id = $1 AND id = $3) AS last_position,
    (SELECT step_at IS NOT NULL FROM conversation WHERE user_id = $1 AND id = $3) AS unsettled,
    EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $3 AND status = 'GENERATING')
    OR EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $3 AND status = 'QUEUED') AS busy";

const JOIN: &str = "
UPDATE message SET active = TRUE, revision = $3
WHERE user_id = $1 AND id IN (SELECT id FROM branch WHERE NOT active)";

/// How a branch stands to the active path.
#[derive(Clone, Copy, FromQueryResult)]
pub(super) struct Standing {
    /// The position of the last message that both have, if it is near.
    meeting: Option<i64>,
    /// The position of the uppermost message that was looked at.
    top: Option<i64>,
    /// How long the path is.
    last_position: Option<i64>,
    /// Whether steps are being taken in the conversation.
    unsettled: Option<bool>,
    /// Whether a reply is under way in the conversation.
    pub(super) busy: bool,
}

impl Standing {
    /// The position of the last message that the path and the branch have in common, 0 if there is none. The branch has
    /// `length` messages and ends with `end`.
    ///
    /// # Errors
    /// [`Error::TooManyMessages`] if it takes more than one step to lead the path along the branch.
    pub(super) fn junction(&self, end: Option<Uuid>, length: i64) -> Result<i64, Error> {
        let starts = end.is_none() || self.top == Some(1);
        let junction = self.meeting.or(starts.then_some(0)).ok_or(Error::TooManyMessages)?;
        let moved = (self.last_position.unwrap_or(0) - junction) + (length - junction);
        if moved > STEP { Err(Error::TooManyMessages) } else { Ok(junction) }
    }
}

impl Chat {
    /// The messages at the positions of `span` of the branch that ends with message `leaf` of its conversation,
    /// oldest first.
    pub async fn branch(&self, leaf: Uuid, span: Span) -> Result<Vec<Arc<message::Model>>, Error> {
        let sql = format!("{BRANCH}{WAY} SELECT * FROM way ORDER BY position");
        let sql = one_by_one(self.database.backend(), &sql);
        let statement = Statement::from_sql_and_values(
            self.database.backend(),
            sql,
            [
                Value::from(self.user()),
                Value::from(leaf),
                Value::from(span.conversation),
                Value::from(span.start),
                Value::from(span.end),
            ],
        );
        self.gather(statement).await
    }

    /// How the branch of `length` messages that ends with message `end` stands to the active path; without an `end` it has
    /// no message.
    ///
    /// # Errors
    /// [`Error::ConversationBusy`] if steps are being taken in the conversation.
    pub(super) async fn standing(
        &self,
        write: &Write,
        conversation_id: Uuid,
        end: Option<Uuid>,
        length: i64,
    ) -> Result<Standing, Error> {
        let standing = self.stand(write, conversation_id, end, length).await?;
        if standing.unsettled == Some(true) { Err(Error::ConversationBusy) } else { Ok(standing) }
    }

    /// As [`Self::standing`], for the steps themselves.
    pub(super) async fn stand(
        &self,
        write: &Write,
        conversation_id: Uuid,
        end: Option<Uuid>,
        length: i64,
    ) -> Result<Standing, Error> {
        let statement = Statement::from_sql_and_values(
            write.get_database_backend(),
            one_by_one(
                write.get_database_backend(),
                &format!("{}{STANDING}", BRANCH.replace(NEAR.0, NEAR.1)),
            ),
            [
                Value::from(self.user()),
                Value::from(end),
                Value::from(conversation_id),
                Value::from(length - STEP),
            ],
        );
        let row = write.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| Error::Internal("a select without a row".to_owned()))?;
        Ok(Standing::from_query_result(&row, "")?)
    }

    /// Makes the active path end with message `end` at position `length`, or be empty. The branch and the path have
    /// what is up to position `junction` in common.
    pub(super) async fn lead_path(
        &self,
        write: &Write,
        conversation_id: Uuid,
        end: Option<Uuid>,
        length: i64,
        junction: i64,
    ) -> Result<(), Error> {
        self.cut(write, conversation_id, junction).await?;
        if junction < length {
            self.join(write, end).await?;
        }
        Ok(())
    }

    /// Puts the branch that ends with message `end` on the active path, from which the path's own end was cut.
    pub(super) async fn join(&self, write: &Write, end: Option<Uuid>) -> Result<(), Error> {
        let statement = Statement::from_sql_and_values(
            write.get_database_backend(),
            one_by_one(write.get_database_backend(), &format!("{BRANCH}{JOIN}")),
            [Value::from(self.user()), Value::from(end), Value::from(write.revision)],
        );
        write.execute_raw(statement).await?;
        Ok(())
    }
}
