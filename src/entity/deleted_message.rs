//! What stays of a deleted message: that it was.

use sea_orm::entity::prelude::*;

/// The tombstone of one message, from which the owner's other devices learn that it is gone.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deleted_message")]
pub struct Model {
    /// The owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// The id that the message had.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The conversation that it was part of.
    pub conversation_id: Uuid,
    /// The owner's revision that deleted it.
    pub revision: i64,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
