//! What a user has chosen for all of their conversations.

use sea_orm::entity::prelude::*;

/// One user's choices. They are beside the account, which every write rewrites.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "viewer_setting")]
pub struct Model {
    /// The owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// The assistant, unless a conversation or a request names another.
    pub assistant_id: Option<String>,
    /// What every assistant is told.
    pub instructions: Option<String>,
    /// The owner's revision that last touched the row.
    pub revision: i64,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
