//! Errors of requests that are refused before anything of them is run.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};

use crate::error::Code;

/// An error with `code`.
pub(super) fn refuse(code: &str, message: impl Into<String>, position: Option<Pos>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    let mut error = ServerError::new(message, position);
    error.extensions = Some(extensions);
    error
}

/// The document breaks a rule of the language.
pub(super) fn invalid(message: impl Into<String>, position: Option<Pos>) -> ServerError {
    refuse(Code::ValidationFailed.as_str(), message, position)
}

/// The query is above one of its bounds.
pub(super) fn too_much(code: &str, limit: &str, maximum: u64) -> ServerError {
    let message = format!("The query is too large: its {limit} must be at most {maximum}.");
    let mut error = refuse(code, message, None);
    if let Some(extensions) = &mut error.extensions {
        extensions.set("limit", limit);
        extensions.set("maximum", maximum);
    }
    error
}
