//! The list of conversations as clients ask for it.

use async_graphql::{Context, Enum, InputObject};

use super::connection::ConversationConnection;
use super::context::ContextExt;
use super::conversation::Paging;
use super::cursor::Cursor;
use super::scalar::DateTime;
use crate::chat::{self, ConversationCursor, Slice};
use crate::error::Error;

/// Which conversations a list has. What is left out, or `null`, does not matter, unless it says otherwise.
#[derive(InputObject)]
pub(super) struct ConversationFilter {
    /// `true`: only those in the archive; `false`: only those outside of it; `null`: both.
    #[graphql(default_with = "Some(false)")]
    archived: Option<bool>,
    /// `true`: only pinned ones; `false`: only those that are not.
    pinned: Option<bool>,
    /// Only those whose title has this text in it; case and accents make no difference. At most 200 characters.
    title_contains: Option<String>,
    /// Only those in which a message was sent at this instant or later.
    updated_since: Option<DateTime>,
    /// `true`: the trash, which is deleted conversations that can still be restored, in place of those that are not
    /// deleted.
    #[graphql(default_with = "Some(false)")]
    deleted: Option<bool>,
}

impl From<ConversationFilter> for chat::ConversationFilter {
    fn from(filter: ConversationFilter) -> Self {
        Self {
            archived: filter.archived,
            pinned: filter.pinned,
            title_contains: filter.title_contains,
            updated_since: filter.updated_since.map(|instant| instant.0),
            deleted: filter.deleted.unwrap_or(false),
        }
    }
}

/// The order of a list of conversations. Its cursors are good for this order only.
#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::ConversationOrder")]
pub(super) enum ConversationOrder {
    /// Newest activity first.
    #[default]
    UpdatedAtDesc,
    /// Oldest activity first.
    UpdatedAtAsc,
    /// Started last first.
    CreatedAtDesc,
    /// Started first first.
    CreatedAtAsc,
    /// By title, character by character; case and accents make no difference, and those without a title come first.
    TitleAsc,
    /// By title, backwards.
    TitleDesc,
    /// Pinned ones, then the others; newest activity first among each.
    PinnedFirst,
}

/// A page of the viewer's conversations.
pub(super) async fn conversations_page(
    context: &Context<'_>,
    filter: Option<ConversationFilter>,
    order: Option<ConversationOrder>,
    paging: Paging,
) -> Result<ConversationConnection, Error> {
    let chat = context.chat()?;
    let filter = filter.map(Into::into).unwrap_or_default();
    let order = order.unwrap_or_default().into();
    let after = place("after", paging.after.as_deref(), order)?;
    let before = place("before", paging.before.as_deref(), order)?;
    let slice = Slice::new(paging.first, after, paging.last, before)?;
    let page = chat.conversations(&filter, order, slice).await?;
    Ok(ConversationConnection { page, filter, order })
}

fn place(
    name: &str,
    text: Option<&str>,
    order: chat::ConversationOrder,
) -> Result<Option<ConversationCursor>, Error> {
    let place = ConversationCursor::parse(name, text)?;
    if place.as_ref().is_some_and(|place| place.order != order) {
        return Err(Error::BadUserInput(format!("`{name}` is a cursor of another order.")));
    }
    Ok(place)
}
