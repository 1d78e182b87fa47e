//! The branch that ends with a message: reading it, and leading the active path along it.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};
use uuid::Uuid;

use super::super::{Chat, Span};
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
    FROM branch JOIN message AS above ON above.user_id = $1 AND above.id = branch.parent_id
    WHERE NOT branch.active
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

const STANDING: &str = "
SELECT
    (SELECT COALESCE(MAX(position), 0) FROM branch WHERE active) AS junction,
    EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $3 AND status = 'GENERATING')
    OR EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $3 AND status = 'QUEUED') AS busy";

const JOIN: &str = "
UPDATE message SET active = TRUE, revision = $3
WHERE user_id = $1 AND id IN (SELECT id FROM branch WHERE NOT active)";

/// How a branch stands to the active path.
#[derive(Clone, Copy, FromQueryResult)]
pub(super) struct Standing {
    /// The position of the last message that both have; 0 if there is none.
    pub(super) junction: i64,
    /// Whether a reply is under way in the conversation.
    pub(super) busy: bool,
}

impl Chat {
    /// The messages at the positions of `span` of the branch that ends with message `leaf` of its conversation,
    /// oldest first.
    pub async fn branch(&self, leaf: Uuid, span: Span) -> Result<Vec<Arc<message::Model>>, Error> {
        let sql = format!("{BRANCH}{WAY} SELECT * FROM way ORDER BY position");
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

    /// How the branch that ends with message `end` stands to the active path; without an `end` it has no message.
    pub(super) async fn standing(
        &self,
        write: &Write,
        conversation_id: Uuid,
        end: Option<Uuid>,
    ) -> Result<Standing, Error> {
        let statement = Statement::from_sql_and_values(
            write.get_database_backend(),
            format!("{BRANCH}{STANDING}"),
            [Value::from(self.user()), Value::from(end), Value::from(conversation_id)],
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
            format!("{BRANCH}{JOIN}"),
            [Value::from(self.user()), Value::from(end), Value::from(write.revision)],
        );
        write.execute_raw(statement).await?;
        Ok(())
    }
}
