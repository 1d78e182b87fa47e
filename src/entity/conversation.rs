//! A thread of messages, owned by one user.

use sea_orm::entity::prelude::*;

/// One conversation, or the tombstone of a deleted one.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
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
    /// The title without case and accents, empty without one: what titles are ordered by and searched in.
    pub title_key: String,
    /// Where the title comes from; `None` without one.
    pub title_origin: Option<TitleOrigin>,
    /// The position of the active path's last message: how many messages the path has.
    pub last_position: i64,
    /// The position of the last message that the user has read.
    pub read_position: i64,
    /// The client's own JSON object, as compact text.
    pub metadata: String,
    /// When it was started.
    pub created_at: DateTimeUtc,
    /// When a message was last sent in it; orders lists.
    pub updated_at: DateTimeUtc,
    /// When the user put it out of sight.
    pub archived_at: Option<DateTimeUtc>,
    /// When the user pinned it.
    pub pinned_at: Option<DateTimeUtc>,
    /// When it was deleted: to its owner it is then gone, but for the trash.
    pub deleted_at: Option<DateTimeUtc>,
    /// When its erasure last began: it can no longer be restored.
    pub erasing_at: Option<DateTimeUtc>,
    /// When its erasure was complete: the row is then a tombstone.
    pub erased_at: Option<DateTimeUtc>,
    /// The owner's revision that last took it out of the trash: its messages came back with it.
    pub restored_revision: Option<i64>,
    /// The owner's revision that last put stored messages on the active path, or took messages off it.
    pub path_revision: Option<i64>,
    /// The message to which, and on to the newest one below it, the active path is being led step by step.
    pub path_target_id: Option<Uuid>,
    /// The position of the last message that the user has read when it is there; `None` if that is the path's last.
    pub path_target_read: Option<i64>,
    /// The message that is being deleted, step by step, with all that hangs below it.
    pub deletion_id: Option<Uuid>,
    /// When the last of these steps was taken.
    pub step_at: Option<DateTimeUtc>,
    /// The owner's revision that last touched the row.
    pub revision: i64,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where a title comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TitleOrigin {
    /// The first message's first words: to be replaced by something better.
    Message,
    /// The assistant.
    Assistant,
    /// The user, whose word is the last.
    User,
}
