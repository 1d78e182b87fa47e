//! What a request brings with it.

use async_graphql::Context;
use async_graphql::dataloader::DataLoader;

use super::batch::Batches;
use super::loader::Rows;
use crate::chat::Chat;
use crate::error::Error;

/// The viewer of one operation, if any, and what its fields read through.
pub struct RequestContext {
    signed_in: Option<SignedIn>,
    batches: Batches,
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
        Self { signed_in: Some(SignedIn { chat, rows }), batches }
    }

    /// A session without a viewer: only introspection is possible.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { signed_in: None, batches: Batches::default() }
    }

    /// What the operation must be run with, as its fields wait for their batches.
    #[must_use]
    pub fn batches(&self) -> Batches {
        self.batches.clone()
    }
}

/// The only way from a resolver to what the request brought.
pub(crate) trait ContextExt<'c> {
    /// The viewer's conversations; [`Error::Unauthenticated`] without a viewer.
    fn chat(&self) -> Result<&'c Chat, Error>;

    /// The viewer's rows, loaded in one batch with those that other fields want at the same time.
    fn rows(&self) -> Result<&'c DataLoader<Rows>, Error>;
}

impl<'c> ContextExt<'c> for Context<'c> {
    fn chat(&self) -> Result<&'c Chat, Error> {
        Ok(&signed_in(self)?.chat)
    }

    fn rows(&self) -> Result<&'c DataLoader<Rows>, Error> {
        Ok(&signed_in(self)?.rows)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that the rule sends everyone to")]
fn signed_in<'c>(context: &Context<'c>) -> Result<&'c SignedIn, Error> {
    let session = context.data_opt::<RequestContext>();
    session.and_then(|session| session.signed_in.as_ref()).ok_or(Error::Unauthenticated)
}
