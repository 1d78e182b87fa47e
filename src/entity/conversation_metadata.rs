//! The values in the metadata of conversations, by which lists are filtered.

use sea_orm::entity::prelude::*;

/// One value of a conversation's metadata.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation_metadata")]
pub struct Model {
    /// The owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// The conversation; it has the same owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: Uuid,
    /// A digest of the value and of the keys that lead to it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub entry: Vec<u8>,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
