//! A thread of messages, owned by one user.

use sea_orm::entity::prelude::*;

/// One conversation, or the tombstone of a deleted one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation")]
pub struct Model {
    /// The owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// A UUID of version 7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What the user sees in a list; `None` until there is one.
    pub title: Option<String>,
    /// The position of the active path's last message: how many messages the path has.
    pub last_position: i64,
    /// When it was started.
    pub created_at: DateTimeUtc,
    /// When a message was last sent in it; orders lists.
    pub updated_at: DateTimeUtc,
    /// When the user put it out of sight.
    pub archived_at: Option<DateTimeUtc>,
    /// When the user pinned it.
    pub pinned_at: Option<DateTimeUtc>,
    /// When it was deleted: the row is then a tombstone.
    pub deleted_at: Option<DateTimeUtc>,
    /// The owner's revision that last touched the row.
    pub revision: i64,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
