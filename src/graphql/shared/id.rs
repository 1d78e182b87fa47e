//! Ids as clients write them.

use async_graphql::ID;
use uuid::Uuid;

use crate::error::Error;

/// The id in its one spelling. To the client any other spelling is an id that does not exist.
pub(crate) fn parse_id(id: &ID) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    (uuid.to_string() == id.as_str()).then_some(uuid)
}

/// As [`parse_id`], for mutations.
///
/// # Errors
/// [`Error::NotFound`] of a `kind`.
pub(crate) fn require_id(id: &ID, kind: &'static str) -> Result<Uuid, Error> {
    parse_id(id).ok_or(Error::NotFound(kind))
}
