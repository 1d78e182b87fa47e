//! What a user has chosen for one conversation.

use sea_orm::entity::prelude::*;

use super::parameters::Parameters;

/// The choices for one conversation. They are beside its row, which every send rewrites.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation_setting")]
pub struct Model {
    /// The owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// The conversation; it has the same owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: Uuid,
    /// The assistant, unless a request names another.
    pub assistant_id: Option<String>,
    /// How it is to write, unless a request says otherwise.
    pub parameters: Option<Parameters>,
    /// What the assistant is told.
    pub instructions: Option<String>,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
