//! The versions of a message.

use async_graphql::Context;
use futures_util::try_join;

use super::list::{MessageConnection, MessageTotal};
use crate::chat::{Page, SiblingKey, SiblingPage, SiblingRank};
use crate::entity::message;
use crate::error::Error;
use crate::graphql::shared::{Connection, ContextExt, Cursor, Paging, SiblingCursor};

/// The position of a message among its siblings. Those of many messages are read together.
pub(super) async fn rank(context: &Context<'_>, row: &message::Model) -> Result<SiblingRank, Error> {
    let rank = context.rows()?.load_one(SiblingKey::of(row)).await?;
    // One that was deleted in between has no siblings but itself.
    Ok(rank.unwrap_or(SiblingRank { index: 0, count: 1 }))
}

/// A page of the siblings of a message. Those of many messages are read together.
pub(super) async fn list(
    context: &Context<'_>,
    row: &message::Model,
    paging: Paging,
) -> Result<MessageConnection, Error> {
    let slice = paging.slice(|SiblingCursor(revision)| revision)?;
    let rows = context.rows()?;
    let page = async { rows.load_one(SiblingPage::of(row, slice)).await };
    let (rank, page) = try_join!(rank(context, row), page)?;
    let total = MessageTotal { total_count: rank.count };
    Ok(Connection::with_fields(page.unwrap_or_else(Page::empty), total, |row| {
        SiblingCursor(row.created_revision).encode()
    }))
}
