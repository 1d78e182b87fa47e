//! What keeps a server that was thought dead from writing into its successor's attempt.

use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use crate::entity::message::{self, Column};

/// Who holds the lease of a reply that its server has given up. A lease has a holder as long as the reply runs.
pub(super) const NOBODY: Uuid = Uuid::nil();

/// One server's attempt at a reply.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) user: String,
    pub(super) id: Uuid,
    pub(super) number: i32,
    pub(super) server: Option<Uuid>,
}

impl From<&message::Model> for Attempt {
    fn from(row: &message::Model) -> Self {
        Self { user: row.user_id.clone(), id: row.id, number: row.attempt, server: row.lease_owner }
    }
}

/// Whether a row still is of this server, in this attempt. Every write of a reply is under this condition.
pub(super) fn still(attempt: impl Into<Attempt>) -> Condition {
    let attempt = attempt.into();
    Condition::all()
        .add(Column::UserId.eq(attempt.user))
        .add(Column::Id.eq(attempt.id))
        .add(Column::LeaseOwner.eq(attempt.server))
        .add(Column::Attempt.eq(attempt.number))
}
