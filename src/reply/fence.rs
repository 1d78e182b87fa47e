//! What keeps a server that was thought dead from writing into its successor's attempt.

use sea_orm::{ColumnTrait, Condition};

use crate::entity::message::{self, Column};

/// Whether a row still is what `claim` says: of this server, in this attempt. Every write of a reply is under this
/// condition.
pub(super) fn still(claim: &message::Model) -> Condition {
    Condition::all()
        .add(Column::UserId.eq(claim.user_id.as_str()))
        .add(Column::Id.eq(claim.id))
        .add(Column::LeaseOwner.eq(claim.lease_owner))
        .add(Column::Attempt.eq(claim.attempt))
}
