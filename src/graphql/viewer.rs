//! The viewer.

use async_graphql::{Context, ID, MergedObject, Object};

use super::conversation::ConversationLists;
use super::shared::{ContextExt, Cursor};
use crate::error::Error;

#[derive(Debug, Default)]
pub(super) struct ViewerQueries;

#[Object]
impl ViewerQueries {
    /// Returns the authenticated user.
    #[expect(clippy::unused_self, reason = "the macro wants it")]
    fn viewer(&self, context: &Context<'_>) -> Result<Viewer, Error> {
        context.chat()?;
        Ok(Viewer::default())
    }
}

/// The authenticated user.
#[derive(Default, MergedObject)]
struct Viewer(ViewerFields, ConversationLists);

#[derive(Default)]
struct ViewerFields;

#[Object]
impl ViewerFields {
    /// The user's id: a claim of the token, by default `sub`.
    #[expect(clippy::unused_self, reason = "the macro wants it")]
    fn id(&self, context: &Context<'_>) -> Result<ID, Error> {
        Ok(context.chat()?.viewer().id().into())
    }

    /// The cursor of the user's last change. A client that reads it first, and passes it to `changes` as `since` later,
    /// misses no change that happens while it reads the rest.
    async fn change_cursor(&self, context: &Context<'_>) -> Result<String, Error> {
        Ok(context.chat()?.change_cursor().await?.encode())
    }
}
