//! The branch that ends with a message: reading it, and setting the active path to it.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::super::{Chat, PositionRange};
use super::traversal::{STEP, nested_loop};
use crate::database::Write;
use crate::entity::message;
use crate::error::Error;

/// Message `$2` of user `$1` and its ancestors, up to the first one on the active path. The ancestors of that one are
/// on the path, and are found by position.
pub(super) const BRANCH: &str = "
WITH RECURSIVE branch (id, parent_id, position, active) AS (
    SELECT id, parent_id, position, active FROM message WHERE user_id = $1 AND id = $2
    UNION ALL
    SELECT above.id, above.parent_id, above.position, above.active
    FROM branch CROSS JOIN message AS above
    WHERE above.user_id = $1 AND above.id = branch.parent_id AND NOT branch.active
)";

/// After [`BRANCH`]: all ancestors of the message, with itself, in conversation `$3`, from position `$4` to before
/// `$5`.
pub(super) const WHOLE_BRANCH: &str = ",
whole_branch AS (
    SELECT * FROM message
    WHERE user_id = $1 AND conversation_id = $3 AND active AND position >= $4 AND position < $5
        AND position <= (SELECT COALESCE(MAX(position), 0) FROM branch WHERE active)
    UNION ALL
    SELECT * FROM message
    WHERE user_id = $1 AND id IN (SELECT id FROM branch WHERE NOT active AND position >= $4 AND position < $5)
)";

/// As [`BRANCH`], but not above position `$4`.
const NEAR: (&str, &str) = ("AND NOT branch.active", "AND NOT branch.active AND branch.position > $4");

const BRANCH_POINT: &str = "
SELECT
    (SELECT MAX(position) FROM branch WHERE active) AS common,
    (SELECT MIN(position) FROM branch) AS top,
    (SELECT last_position FROM conversation WHERE user_id = $1 AND id = $3) AS last_position,
    (SELECT step_at IS NOT NULL FROM conversation WHERE user_id = $1 AND id = $3) AS has_steps,
    EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $3 AND status = 'GENERATING')
    OR EXISTS (SELECT 1 FROM message WHERE user_id = $1 AND conversation_id = $3 AND status = 'QUEUED') AS busy";

const ACTIVATE: &str = "
UPDATE message SET active = TRUE
WHERE user_id = $1 AND id IN (SELECT id FROM branch WHERE NOT active)";

/// Where a branch leaves the active path.
#[derive(Clone, Copy, FromQueryResult)]
pub(super) struct BranchPoint {
    /// The position of the last message that both have, if it was found.
    common: Option<i64>,
    /// The position of the first message of the branch that was read.
    top: Option<i64>,
    /// The length of the path.
    last_position: Option<i64>,
    /// Whether the conversation is changed in steps.
    has_steps: Option<bool>,
    /// Whether a reply is queued or running in the conversation.
    pub(super) busy: bool,
}

impl BranchPoint {
    /// The position of the last common message of the path and the branch, which has `length` messages and ends with
    /// `end`; 0 if they have none in common.
    ///
    /// # Errors
    /// [`Error::TooManyMessages`] if it takes more than one step to set the path to the branch.
    pub(super) fn ancestor(&self, end: Option<Uuid>, length: i64) -> Result<i64, Error> {
        let starts = end.is_none() || self.top == Some(1);
        let ancestor = self.common.or(starts.then_some(0)).ok_or(Error::TooManyMessages)?;
        if self.moved(length, ancestor) > STEP { Err(Error::TooManyMessages) } else { Ok(ancestor) }
    }

    /// How many messages leave and join the path when it is set to a branch of `length` messages; both have those up to
    /// position `ancestor` in common.
    pub(super) fn moved(&self, length: i64, ancestor: i64) -> i64 {
        (self.last_position.unwrap_or(0) - ancestor) + (length - ancestor)
    }
}

impl Chat {
    /// The messages in `range` of the branch that ends with message `leaf`, oldest first.
    pub async fn branch(&self, leaf: Uuid, range: PositionRange) -> Result<Vec<Arc<message::Model>>, Error> {
        let sql = format!("{BRANCH}{WHOLE_BRANCH} SELECT * FROM whole_branch ORDER BY position");
        let sql = nested_loop(self.database.backend(), &sql);
        let (user, conversation) = (self.user().into(), range.conversation.into());
        let values = [user, leaf.into(), conversation, range.start.into(), range.end.into()];
        self.load(self.database.statement(sql, values)).await
    }

    /// Where the branch of `length` messages that ends with message `end` leaves the active path. Without an `end` it
    /// has no messages.
    ///
    /// # Errors
    /// [`Error::ConversationBusy`] if the conversation is changed in steps.
    pub(super) async fn branch_point(
        &self,
        write: &Write,
        conversation_id: Uuid,
        end: Option<Uuid>,
        length: i64,
    ) -> Result<BranchPoint, Error> {
        let branch_point = self.read_branch_point(write, conversation_id, end, length).await?;
        if branch_point.has_steps == Some(true) { Err(Error::ConversationBusy) } else { Ok(branch_point) }
    }

    /// As [`Self::branch_point`], also while the conversation is changed in steps.
    pub(super) async fn read_branch_point(
        &self,
        write: &Write,
        conversation_id: Uuid,
        end: Option<Uuid>,
        length: i64,
    ) -> Result<BranchPoint, Error> {
        let sql = format!("{}{BRANCH_POINT}", BRANCH.replace(NEAR.0, NEAR.1));
        let values = [self.user().into(), end.into(), conversation_id.into(), (length - STEP).into()];
        Ok(write.only(nested_loop(write.get_database_backend(), &sql), values).await?)
    }

    /// Sets the active path to the branch of `length` messages that ends with `end`, or to none. Both have the messages
    /// up to position `ancestor` in common.
    pub(super) async fn set_active_path(
        &self,
        write: &Write,
        conversation_id: Uuid,
        end: Option<Uuid>,
        length: i64,
        ancestor: i64,
    ) -> Result<(), Error> {
        self.truncate_path(write, conversation_id, ancestor).await?;
        if ancestor < length {
            self.activate_branch(write, end).await?;
        }
        Ok(())
    }

    /// Puts the branch that ends with message `end` on the active path, which was truncated to the last common message.
    /// The conversation's row has to tell of it; see [`path_changed`](super::super::path::path_changed).
    pub(super) async fn activate_branch(&self, write: &Write, end: Option<Uuid>) -> Result<(), Error> {
        let activate = nested_loop(write.get_database_backend(), &format!("{BRANCH}{ACTIVATE}"));
        write.run(activate, [self.user().into(), end.into()]).await?;
        Ok(())
    }
}
