//! Versions of a message, as its fields show them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;

use super::connection::MessageConnection;
use super::context::ContextExt;
use super::conversation::Paging;
use super::cursor::{Cursor, SiblingCursor};
use super::loader::MessageId;
use crate::chat::{Family, Page, Sibling, Slice};
use crate::entity::message;
use crate::error::Error;

/// The siblings of a message, in order of creation. Those of many messages are read together.
pub(super) async fn siblings(context: &Context<'_>, row: &message::Model) -> Result<Vec<Sibling>, Error> {
    Ok(context.rows()?.load_one(Family::of(row)).await?.unwrap_or_default())
}

/// A page of the siblings of a message.
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
    let siblings = siblings(context, row).await?;
    let page = Sibling::page(&siblings, &slice);
    let ids = page.items.iter().map(|sibling| MessageId(sibling.id));
    let mut rows: HashMap<MessageId, Arc<message::Model>> = context.rows()?.load_many(ids).await?;
    Ok(MessageConnection {
        page: Page {
            // One that was deleted in between is left out.
            items: page.items.iter().filter_map(|sibling| rows.remove(&MessageId(sibling.id))).collect(),
            has_previous: page.has_previous,
            has_next: page.has_next,
        },
        total: i64::try_from(siblings.len()).unwrap_or(i64::MAX),
        cursor: |row| SiblingCursor(row.created_revision).encode(),
    })
}
