//! The viewer.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, MergedObject, Object, SimpleObject};

use super::assistant::{Assistant, patch};
use super::conversation::ConversationLists;
use super::shared::{ContextExt, Cursor, OwnSettings, Payload, payload};
use super::usage::ViewerUsage;
use crate::chat::ConfigureViewer;
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
struct Viewer(ViewerFields, ConversationLists, ViewerUsage);

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
    async fn change_cursor(&self, context: &Context<'_>) -> Result<String, Error> {
        let cursor = match context.start_cursor()? {
            Some(cursor) => cursor,
            None => context.chat()?.change_cursor().await?,
        };
        Ok(cursor.encode())
    }

    /// The assistant that the user has chosen for all conversations. It is `null` if none is chosen, or if the user may no
    /// longer choose it.
    async fn assistant(&self, context: &Context<'_>) -> Result<Option<Assistant>, Error> {
        let settings = context.rows()?.load_one(OwnSettings).await?;
        let id = settings.as_ref().and_then(|settings| settings.assistant_id.as_deref());
        let Some(id) = id else { return Ok(None) };
        Ok(Assistant::chosen(context.chat()?, id))
    }

    /// The id of the assistant that the user has chosen for all conversations. It is `null` if none is: the default one then
    /// answers. While it is one that the user may not choose, sending a message without another fails with `NOT_FOUND`.
    async fn assistant_id(&self, context: &Context<'_>) -> Result<Option<ID>, Error> {
        let settings = context.rows()?.load_one(OwnSettings).await?;
        Ok(settings.and_then(|settings| settings.assistant_id.as_deref().map(ID::from)))
    }

    /// What every assistant is told before each of the user's conversations.
    async fn instructions(&self, context: &Context<'_>) -> Result<Option<String>, Error> {
        let settings = context.rows()?.load_one(OwnSettings).await?;
        let Some(text) = settings.and_then(|settings| settings.instructions.clone()) else { return Ok(None) };
        context.chat()?.take(text.len())?;
        Ok(Some(text))
    }
}

#[derive(Debug, Default)]
pub(super) struct ViewerMutations;

#[Object]
impl ViewerMutations {
    /// Changes what the viewer has chosen for all conversations. What is omitted stays as it is, and what is `null` is no
    /// longer chosen. Replies that were requested before keep their assistant, and are told what is set when they begin.
    async fn configure_viewer(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: ConfigureViewerInput,
    ) -> Payload<ConfigureViewerPayload> {
        payload(async {
            let request = ConfigureViewer {
                assistant_id: patch(input.assistant_id.map_value(|id| id.0)),
                instructions: patch(input.instructions),
                idempotency_key: input.idempotency_key,
            };
            context.chat()?.configure_viewer(request).await?;
            Ok(ConfigureViewerPayload { viewer: Viewer::default() })
        })
        .await
    }
}

/// The input of `configureViewer`.
#[derive(InputObject)]
struct ConfigureViewerInput {
    /// The id of the assistant that writes the viewer's replies unless a conversation or a request names another; with
    /// `null` it is the default one. The mutation fails with `NOT_FOUND` if the viewer may not choose it.
    assistant_id: MaybeUndefined<ID>,
    /// What every assistant is told before each of the viewer's conversations, after the operator's instructions: 1 to
    /// 8,000 characters after trimming, unless the server is configured otherwise, without NUL characters. With `null`
    /// it is told nothing more.
    instructions: MaybeUndefined<String>,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `configureViewer`.
#[derive(SimpleObject)]
struct ConfigureViewerPayload {
    /// The viewer with the new choices.
    viewer: Viewer,
}
