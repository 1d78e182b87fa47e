//! What a request with an idempotency key has made or changed.

use sea_orm::entity::prelude::*;

/// The receipt of one request, for those that repeat it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub struct Model {
    /// The owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// The client's name for the request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// The SHA-256 of the operation and its arguments; `None` once the message or conversation that it made is
    /// deleted.
    pub request_digest: Option<Vec<u8>>,
    /// The conversation that it made.
    pub conversation_id: Option<Uuid>,
    /// The message that it made.
    pub message_id: Option<Uuid>,
    /// The reply that it made or tried again.
    pub reply_id: Option<Uuid>,
    /// When it was first received.
    pub created_at: DateTimeUtc,
    /// Whether more transactions are to do what it asks for.
    pub unfinished: bool,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
