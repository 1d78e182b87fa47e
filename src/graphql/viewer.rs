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

    /// The cursor of the user's last change. A query reads it before everything else, whatever the order of its fields:
    /// one query may select it beside all that the client shows. A client that passes it to `changes` as `since` then
    /// misses nothing; what was changed while the query read the rest may come again.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn change_cursor(&self, context: &Context<'_>) -> Result<String, Error> {
        Ok(context.start_cursor()?.encode())
    }
}
