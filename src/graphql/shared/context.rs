//! What a request brings with it.

use async_graphql::Context;
use async_graphql::dataloader::DataLoader;

use super::batch::Batches;
use super::loader::Rows;
use super::start::StartCursor;
use crate::chat::{ChangeCursor, Chat};
use crate::error::Error;

/// The viewer of one operation, if any, and what its fields read through.
pub struct RequestContext {
    signed_in: Option<SignedIn>,
    batches: Batches,
    start_cursor: StartCursor,
}

struct SignedIn {
    chat: Chat,
    rows: DataLoader<Rows>,
}

impl RequestContext {
    /// A session of a viewer.
    #[must_use]
    pub fn of(chat: Chat) -> Self {
        let batches = Batches::default();
        let rows = DataLoader::new(Rows::new(chat.clone()), batches.clone(), batches.clone());
        let start_cursor = StartCursor::new(chat.clone());
        Self { signed_in: Some(SignedIn { chat, rows }), batches, start_cursor }
    }

    /// A session without a viewer: only introspection is possible.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { signed_in: None, batches: Batches::default(), start_cursor: StartCursor::default() }
    }

    /// The viewer's conversations, if there is a viewer.
    pub(crate) fn viewer_chat(&self) -> Option<&Chat> {
        self.signed_in.as_ref().map(|signed_in| &signed_in.chat)
    }

    /// What the operation must be run with, as its fields wait for their batches.
    #[must_use]
    pub fn batches(&self) -> Batches {
        self.batches.clone()
    }

    /// What a query must read before it is run.
    #[must_use]
    pub fn start_cursor(&self) -> StartCursor {
        self.start_cursor.clone()
    }
}

/// The only way from a resolver to what the request brought.
pub(crate) trait ContextExt<'c> {
    /// The viewer's conversations; [`Error::Unauthenticated`] without a viewer.
    fn chat(&self) -> Result<&'c Chat, Error>;

    /// The viewer's rows, loaded in one batch with those that other fields want at the same time.
    fn rows(&self) -> Result<&'c DataLoader<Rows>, Error>;

    /// The cursor of the viewer's last change before the operation has read anything; `None` in what is no query.
    fn start_cursor(&self) -> Result<Option<ChangeCursor>, Error>;
}

impl<'c> ContextExt<'c> for Context<'c> {
    fn chat(&self) -> Result<&'c Chat, Error> {
        Ok(&signed_in(self)?.chat)
    }

    fn rows(&self) -> Result<&'c DataLoader<Rows>, Error> {
        Ok(&signed_in(self)?.rows)
    }

    fn start_cursor(&self) -> Result<Option<ChangeCursor>, Error> {
        request_context(self)?.start_cursor.get().transpose()
    }
}

fn signed_in<'c>(context: &Context<'c>) -> Result<&'c SignedIn, Error> {
    request_context(context)?.signed_in.as_ref().ok_or(Error::Unauthenticated)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that the rule sends everyone to")]
fn request_context<'c>(context: &Context<'c>) -> Result<&'c RequestContext, Error> {
    context.data_opt::<RequestContext>().ok_or(Error::Unauthenticated)
}
