//! A user, from the first write on.

use sea_orm::entity::prelude::*;

/// One user. The row's lock puts the user's writes in order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// The token's `sub`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// Raised by one in every write.
    pub revision: i64,
    /// When the user first wrote.
    pub created_at: DateTimeUtc,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
