//! The codes of errors, as part of the schema.

use async_graphql::Enum;

use crate::error::Code;

/// The codes of errors, for programs: the values of `extensions.code`. Clients must expect further codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Code")]
pub(crate) enum ErrorCode {
    /// The texts of the response exceed the server's limit. Request fewer items, or omit the texts.
    AnswerTooLarge,
    /// The reply has failed. Only the REST endpoint returns this code; in GraphQL the reply has the status `FAILED`.
    AssistantFailed,
    /// The request is not a GraphQL request in JSON, or has too many values.
    BadRequest,
    /// An argument is outside its documented limits. `extensions.field` is the path to it, such as `first` or
    /// `input.content`; a path that begins with `$` is one within that variable.
    BadUserInput,
    /// The conversation has changed since the revision that the request is based on.
    Conflict,
    /// A reply in the conversation has not ended, or many of its messages are being moved or deleted.
    ConversationBusy,
    /// The token does not permit the request.
    Forbidden,
    /// The document is not GraphQL, or exceeds a limit, which `extensions.limit` and `extensions.maximum` name.
    #[graphql(name = "GRAPHQL_PARSE_FAILED")]
    ParseFailed,
    /// The document does not fit the schema, or exceeds a limit, which `extensions.limit` and `extensions.maximum` name.
    #[graphql(name = "GRAPHQL_VALIDATION_FAILED")]
    ValidationFailed,
    /// The idempotency key was used before for a request with other arguments.
    IdempotencyMismatch,
    /// The server has a fault, which its log describes.
    #[graphql(name = "INTERNAL_SERVER_ERROR")]
    Internal,
    /// What the request names is in a state in which this cannot be done, such as a complete reply that is to be
    /// retried.
    InvalidState,
    /// The URL does not support the method, or the operation cannot be requested by GET.
    MethodNotAllowed,
    /// The server cannot respond in any media type that the request accepts.
    NotAcceptable,
    /// What the request names does not exist, or belongs to another user.
    NotFound,
    /// The document has no operation of the given name, or has several and no name was given.
    #[graphql(name = "OPERATION_RESOLUTION_FAILURE")]
    OperationNotFound,
    /// The body of the request is too large.
    PayloadTooLarge,
    /// The server does not know the document with the given hash. Send its text with the hash.
    PersistedQueryNotFound,
    /// The server executes trusted documents only.
    PersistedQueryOnly,
    /// A quota of the viewer's plan does not allow another reply. `extensions` has the quota's `period` (`DAY` or `MONTH`)
    /// and `assistant`, which is `null` if the replies of all count; the `measure` (`REPLIES`, `TOKENS` or `COST`) of
    /// which there is not enough, its `limit` and how much of it is `used`; and `resetsAt`, when the next period begins.
    QuotaExceeded,
    /// The viewer, or the address, has requested too much. `extensions.retryAfter` is the number of seconds to wait.
    RateLimited,
    /// The body of the request did not arrive in time.
    RequestTimeout,
    /// The response took too long.
    Timeout,
    /// The token is missing, invalid or expired.
    Unauthenticated,
    /// The service cannot respond at present. Repeat the request, with the same idempotency key.
    Unavailable,
    /// The server does not read the media type of the request's body.
    UnsupportedMediaType,
    /// The request must be a WebSocket handshake.
    UpgradeRequired,
}

#[cfg(test)]
mod tests {
    use async_graphql::resolver_utils::EnumType;

    use super::*;

    // That both have the same variants is checked by the compiler, in the conversions.
    #[test]
    fn the_schema_spells_each_code_as_errors_do() {
        for item in ErrorCode::items() {
            assert_eq!(item.name, Code::from(item.value).as_str());
        }
    }
}
