//! Fencing: a server that was thought dead cannot write into its successor's attempt.

use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use crate::entity::message::{self, Column};

/// The owner of a lease that its server has released. A lease has an owner as long as the reply runs.
pub(super) const RELEASED: Uuid = Uuid::nil();

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

/// The condition that a row is still leased to this server for this attempt. Every write of a reply has it.
pub(super) fn owned_by(attempt: impl Into<Attempt>) -> Condition {
    let attempt = attempt.into();
    Condition::all()
        .add(Column::UserId.eq(attempt.user))
        .add(Column::Id.eq(attempt.id))
        .add(Column::LeaseOwner.eq(attempt.server))
        .add(Column::Attempt.eq(attempt.number))
}
