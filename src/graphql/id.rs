//! Ids as clients write them.

use async_graphql::ID;
use uuid::Uuid;

use crate::error::Error;

/// The id in its one spelling. What is not spelled so names nothing: to the client it is as good as an id that
/// does not exist.
pub(super) fn parse(id: &ID) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    (uuid.to_string() == id.as_str()).then_some(uuid)
}

/// As [`parse`], for mutations.
///
/// # Errors
/// [`Error::NotFound`] of a `kind`.
pub(super) fn require(id: &ID, kind: &'static str) -> Result<Uuid, Error> {
    parse(id).ok_or(Error::NotFound(kind))
}
