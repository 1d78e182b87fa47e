//! Versions of a message, as its fields show them.

use async_graphql::Context;
use futures_util::try_join;

use super::connection::MessageConnection;
use super::context::ContextExt;
use super::conversation::Paging;
use super::cursor::{Cursor, SiblingCursor};
use crate::chat::{Page, SiblingKey, SiblingPage, SiblingRank, Slice};
use crate::entity::message;
use crate::error::Error;

/// Where a message stands among its siblings. Those of many messages are counted together.
pub(super) async fn rank(context: &Context<'_>, row: &message::Model) -> Result<SiblingRank, Error> {
    let rank = context.rows()?.load_one(SiblingKey::of(row)).await?;
    // One that was deleted in between has no siblings but itself.
    Ok(rank.unwrap_or(SiblingRank { index: 0, count: 1 }))
}

/// A page of the siblings of a message. Those of many messages are read together.
pub(super) async fn siblings_page(
    context: &Context<'_>,
    row: &message::Model,
    paging: Paging,
) -> Result<MessageConnection, Error> {
    let place = |name: &str, cursor: Option<&str>| {
        SiblingCursor::parse(name, cursor).map(|cursor| cursor.map(|SiblingCursor(place)| place))
    };
    let after = place("after", paging.after.as_deref())?;
    let before = place("before", paging.before.as_deref())?;
    let slice = Slice::new(paging.first, after, paging.last, before)?;
    let rows = context.rows()?;
    let page = async { rows.load_one(SiblingPage::of(row, slice)).await };
    let (rank, page) = try_join!(rank(context, row), page)?;
    Ok(MessageConnection {
        page: page.unwrap_or_else(Page::empty),
        total: rank.count,
        cursor: |row| SiblingCursor(row.created_revision).encode(),
    })
}
