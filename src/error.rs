//! What can go wrong, and what a client is told of it.

mod code;
mod database;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use self::code::Code;
pub(crate) use self::database::{is_locked, is_outage};
use crate::auth::Rejection;
use crate::outage::Outage;
use crate::usage::Exceeded;

/// Whether requests can be served.
static SERVICE: Outage = Outage::of("service");

/// Notes that the database answers: an outage may be over.
pub(crate) fn note_service() {
    SERVICE.succeeded();
}

/// A request that fails. Each variant says what the client sees.
///
/// It has no `Display`: so its own conversion to GraphQL is the only one, and no text of the database can reach a client
/// by way of `?`.
#[derive(Clone, Debug)]
pub enum Error {
    /// `UNAUTHENTICATED`: the request has no token and needs one.
    Unauthenticated,
    /// `UNAUTHENTICATED`, HTTP 401: the request has a token that is not valid. `UNAVAILABLE`: the keys to check it with
    /// are not available.
    Rejected(Rejection),
    /// `NOT_FOUND`: there is no such row, or it is another user's; nobody can tell which.
    NotFound(&'static str),
    /// `BAD_USER_INPUT`: an argument is outside its documented limits.
    BadUserInput {
        /// The argument, as the path to it: `first`, `input.content`.
        field: Cow<'static, str>,
        /// Which limit, for people.
        message: String,
    },
    /// `INVALID_STATE`: what the request names is in a state in which this cannot be done; the text says which.
    InvalidState(&'static str),
    /// `IDEMPOTENCY_MISMATCH`: the key was used with other arguments.
    IdempotencyMismatch,
    /// `CONFLICT`: the row has changed since the revision that the request is based on.
    RevisionMismatch,
    /// `CONVERSATION_BUSY`: a reply has not ended, and the client asked not to wait for it; or many messages are
    /// being moved or deleted, which nothing may interrupt.
    ConversationBusy,
    /// `INTERNAL_SERVER_ERROR`: more messages than one transaction may move, copy or delete. Who meets it repeats the
    /// request in steps.
    TooManyMessages,
    /// `RATE_LIMITED`, HTTP 429: as many replies of the viewer are queued as may be.
    TooManyQueued(u32),
    /// `QUOTA_EXCEEDED`, HTTP 429: a quota of the viewer's plan does not allow another reply.
    QuotaExceeded(Box<Exceeded>),
    /// `ANSWER_TOO_LARGE`: the texts that the operation reads and returns have more than this many bytes.
    TooLarge(usize),
    /// `RATE_LIMITED`, HTTP 429: the viewer's operations hold as much text as one user's may, or read too much of it in
    /// a short time.
    TooManyBytesInFlight,
    /// `UNAVAILABLE`: the database is too busy, or something took too long; the same request may succeed later.
    Unavailable(String),
    /// `UNAVAILABLE`: the database cannot be reached, or cannot serve. Waiting for it longer is useless.
    Unreachable(String),
    /// `UNAVAILABLE`: the database has preferred another transaction; nothing was written.
    Conflict(String),
    /// `INTERNAL_SERVER_ERROR`: a fault of the server. The text is for the log only.
    Internal(String),
}

impl Error {
    /// [`Error::BadUserInput`] about the argument `field`.
    pub(crate) fn input(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::BadUserInput { field: field.into(), message: message.into() }
    }

    /// The error of a request whose arguments are fields of the argument `object`.
    pub(crate) fn within(self, object: &str) -> Self {
        match self {
            Self::BadUserInput { field, message } => {
                Self::BadUserInput { field: format!("{object}.{field}").into(), message }
            }
            other => other,
        }
    }

    /// The code for programs.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Rejected(Rejection::KeysUnavailable)
            | Self::Unavailable(_)
            | Self::Unreachable(_)
            | Self::Conflict(_) => Code::Unavailable,
            Self::Unauthenticated | Self::Rejected(_) => Code::Unauthenticated,
            Self::NotFound(_) => Code::NotFound,
            Self::BadUserInput { .. } => Code::BadUserInput,
            Self::InvalidState(_) => Code::InvalidState,
            Self::IdempotencyMismatch => Code::IdempotencyMismatch,
            Self::RevisionMismatch => Code::Conflict,
            Self::ConversationBusy => Code::ConversationBusy,
            Self::TooManyQueued(_) | Self::TooManyBytesInFlight => Code::RateLimited,
            Self::QuotaExceeded(_) => Code::QuotaExceeded,
            Self::TooLarge(_) => Code::AnswerTooLarge,
            Self::TooManyMessages | Self::Internal(_) => Code::Internal,
        }
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> String {
        let message = match self {
            Self::Unauthenticated => "Authentication is required; send a bearer token.",
            Self::Rejected(Rejection::Expired) => "The token has expired.",
            Self::Rejected(Rejection::KeysUnavailable) => {
                "Tokens cannot be checked at present; retry shortly."
            }
            Self::Rejected(_) => "The token is not valid.",
            Self::NotFound(what) => return format!("There is no such {what}."),
            Self::BadUserInput { message, .. } => message,
            Self::InvalidState(message) => message,
            Self::IdempotencyMismatch => {
                "The idempotency key was already used with other arguments; use a new key for a new request."
            }
            Self::RevisionMismatch => {
                "The conversation has changed since this revision; read it again, and repeat the change if it still \
                 applies."
            }
            Self::ConversationBusy => {
                "The conversation is busy: a reply has not ended, or many of its messages are being moved or deleted; \
                 retry later."
            }
            Self::TooManyQueued(maximum) => {
                return format!(
                    "At most {maximum} of your replies may be queued; wait until one of them begins."
                );
            }
            Self::QuotaExceeded(exceeded) => return exceeded.message(),
            Self::TooLarge(maximum) => {
                return format!("The texts of the response exceed {maximum} bytes; request fewer at a time.");
            }
            Self::TooManyBytesInFlight => "Too much response data in flight; retry shortly.",
            Self::Unavailable(_) | Self::Unreachable(_) | Self::Conflict(_) => {
                "The service is temporarily unavailable; retry shortly."
            }
            Self::TooManyMessages | Self::Internal(_) => Self::INTERNAL,
        };
        message.to_owned()
    }

    /// The sentence for people about a fault of the server.
    pub(crate) const INTERNAL: &str = "Something went wrong on the server.";

    /// What a client is told for programs beside the code.
    pub(crate) fn details(&self) -> BTreeMap<&'static str, Value> {
        match self {
            Self::BadUserInput { field, .. } => BTreeMap::from([("field", field.as_ref().into())]),
            Self::QuotaExceeded(exceeded) => exceeded.extensions(),
            _ => BTreeMap::new(),
        }
    }

    /// After how many seconds the client may try again, if it has asked for too much.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            // A reply takes some seconds, and then the next one begins.
            Self::TooManyQueued(_) => Some(5),
            Self::TooManyBytesInFlight => Some(1),
            Self::QuotaExceeded(exceeded) => Some(exceeded.seconds_left()),
            _ => None,
        }
    }
    /// Writes to the log what the client is not shown. Called once, where the error leaves the server.
    /// [`Error::Unavailable`] is logged when an outage begins, and every 30 seconds while it lasts.
    pub fn log(&self) {
        match self {
            Self::Unavailable(cause) | Self::Unreachable(cause) | Self::Conflict(cause) => {
                SERVICE.failed(cause);
            }
            Self::Internal(cause) => tracing::error!(cause, "internal error"),
            _ => {}
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.code() == Code::Unavailable
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        error.log();
        let mut extensions = error.code().extensions(error.retry_after());
        for (name, value) in error.details() {
            extensions.set(name, async_graphql::Value::from_json(value).unwrap_or_default());
        }
        Self { message: error.message(), source: None, extensions: Some(extensions) }
    }
}
