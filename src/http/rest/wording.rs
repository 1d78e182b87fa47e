//! What is wrong with a request, in the names that REST has for its parts.

use crate::error::Error;

/// What the parts of a message to be sent are called, and what they are called here.
const NAMES: [(&str, &str); 6] = [
    ("content", "message"),
    ("idempotencyKey", "Idempotency-Key"),
    ("conversationId", "conversation_id"),
    ("parameters.topP", "parameters.top_p"),
    ("parameters.maxTokens", "parameters.max_tokens"),
    ("parameters.reasoningEffort", "parameters.reasoning_effort"),
];

/// `error` about a message to be sent.
pub(super) fn in_words_of_rest(error: Error) -> Error {
    let Error::BadUserInput { field, message } = error else { return error };
    let (graphql, rest) = NAMES.into_iter().find(|(name, _)| *name == field).unwrap_or_default();
    if graphql.is_empty() {
        return Error::BadUserInput { field, message };
    }
    Error::input(rest, message.replace(&format!("`{graphql}`"), &format!("`{rest}`")))
}
