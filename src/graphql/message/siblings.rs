//! The versions of a message.

use async_graphql::Context;

use super::list::MessageConnection;
use crate::chat::{CountedPage, SiblingKey, SiblingPage, SiblingRank};
use crate::entity::message;
use crate::error::Error;
use crate::graphql::shared::{ContextExt, Cursor, Paging, SiblingCursor};

/// The place of a message among its siblings. Those of many messages are read together.
pub(super) async fn rank(context: &Context<'_>, row: &message::Model) -> Result<SiblingRank, Error> {
    let rank = context.rows()?.load_one(SiblingKey::of(row)).await?;
    Ok(rank.unwrap_or(SiblingRank::ALONE))
}

/// A page of the siblings of a message. Those of many messages are read together.
pub(super) async fn list(
    context: &Context<'_>,
    row: &message::Model,
    paging: Paging,
) -> Result<MessageConnection, Error> {
    let group = row.parent_id.unwrap_or(row.conversation_id);
    let slice = paging.slice(|cursor: SiblingCursor| (cursor.group == group).then_some(cursor.revision))?;
    let counted = context.rows()?.load_one(SiblingPage::of(row, slice)).await?;
    Ok(super::list::counted(counted.unwrap_or_else(CountedPage::empty), |row| {
        SiblingCursor { group, revision: row.created_revision }.encode()
    }))
}
