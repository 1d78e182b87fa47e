//! What is wrong with a request, in the names that REST has for its parts.

use crate::error::Error;

/// What GraphQL calls the parts of a request, and what they are called here.
const NAMES: [(&str, &str); 2] = [("`content`", "`message`"), ("`idempotencyKey`", "`Idempotency-Key`")];

/// A part of the request is not valid.
pub(super) fn invalid(_part: &str, message: &str) -> Error {
    Error::BadUserInput(message.to_owned())
}

/// `error` about a message to be sent.
pub(super) fn in_words_of_rest(error: Error) -> Error {
    match error {
        Error::BadUserInput(message) => {
            let rename = |message: String, (graphql, rest): (&str, &str)| message.replace(graphql, rest);
            Error::BadUserInput(NAMES.into_iter().fold(message, rename))
        }
        other => other,
    }
}
