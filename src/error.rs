//! What can go wrong, and how much of it a client is told.

use async_graphql::ErrorExtensions;
use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::auth;
use crate::outage::Outage;

/// Whether requests can be served.
static SERVICE: Outage = Outage::of("service");

/// Notes that the database answers: what was unavailable may be over.
pub(crate) fn note_service() {
    SERVICE.succeeded();
}

/// A request that cannot be answered. Each variant's documentation says what the client sees.
///
/// Deliberately without `Display`: it keeps this type's own conversion to GraphQL the only one, so that no
/// database text can reach a client by way of `?`.
#[derive(Clone, Debug)]
pub enum Error {
    /// `UNAUTHENTICATED`: no token came, and the request needs one.
    Unauthenticated,
    /// `UNAUTHENTICATED`, HTTP 401: a token came and is not good.
    Rejected(auth::Rejection),
    /// `NOT_FOUND`: there is no such row, or it is somebody else's; nobody can tell which.
    NotFound(&'static str),
    /// `BAD_USER_INPUT`: an argument is outside of its documented limits; the text says which and how.
    BadUserInput(String),
    /// `IDEMPOTENCY_MISMATCH`: the key was used before, for another request.
    IdempotencyMismatch,
    /// `CONVERSATION_BUSY`: a reply is being written, and the client asked not to wait for it; or many messages are
    /// being moved or deleted, which nothing else may come between.
    ConversationBusy,
    /// `INTERNAL_SERVER_ERROR`: more messages than one transaction may move, copy or delete. Whoever meets it does in
    /// steps what was asked for.
    TooManyMessages,
    /// `RATE_LIMITED`, HTTP 429: so many replies of the viewer wait already, as many as may.
    TooManyQueued(u32),
    /// `ANSWER_TOO_LARGE`: the texts that the operation reads and answers come to more than this many bytes.
    TooLarge(usize),
    /// `RATE_LIMITED`, HTTP 429: the viewer's operations have as much text in hand as one user's may, or take too much
    /// of it in a short time.
    TooMuchInHand,
    /// `UNAVAILABLE`: the database is too busy, or something took too long; the same request may succeed later.
    Unavailable(String),
    /// `UNAVAILABLE`: the database cannot be reached, or cannot serve. Whoever waits for it need not wait longer.
    Unreachable(String),
    /// `UNAVAILABLE`: the database has given another transaction precedence; nothing was written.
    Conflict(String),
    /// `INTERNAL_SERVER_ERROR`: a fault of ours. The text is for the log only.
    Internal(String),
}

impl Error {
    /// The code in `extensions.code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated | Self::Rejected(_) => "UNAUTHENTICATED",
            Self::NotFound(_) => "NOT_FOUND",
            Self::BadUserInput(_) => "BAD_USER_INPUT",
            Self::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
            Self::ConversationBusy => "CONVERSATION_BUSY",
            Self::TooManyQueued(_) | Self::TooMuchInHand => "RATE_LIMITED",
            Self::TooLarge(_) => "ANSWER_TOO_LARGE",
            Self::Unavailable(_) | Self::Unreachable(_) | Self::Conflict(_) => "UNAVAILABLE",
            Self::TooManyMessages | Self::Internal(_) => "INTERNAL_SERVER_ERROR",
        }
    }

    /// The sentence that a client is shown.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Unauthenticated => "Sign in: this needs a bearer token.".to_owned(),
            Self::Rejected(auth::Rejection::Expired) => "The token has expired.".to_owned(),
            Self::Rejected(_) => "The token is not valid.".to_owned(),
            Self::NotFound(what) => format!("There is no such {what}."),
            Self::BadUserInput(message) => message.clone(),
            Self::IdempotencyMismatch => {
                "This idempotency key was used before, with other arguments.".to_owned()
            }
            Self::ConversationBusy => {
                "This conversation is busy: a reply is being written, or many of its messages are being moved or \
                 deleted."
                    .to_owned()
            }
            Self::TooManyQueued(maximum) => {
                format!("You may have {maximum} replies waiting; let some of them be written first.")
            }
            Self::TooLarge(maximum) => {
                format!("The texts in this answer may have {maximum} bytes in all; ask for fewer at a time.")
            }
            Self::TooMuchInHand => {
                "Your requests are for too much text at a time; let some of them be answered first."
                    .to_owned()
            }
            Self::Unavailable(_) | Self::Unreachable(_) | Self::Conflict(_) => {
                "The service is unavailable for the moment; try again.".to_owned()
            }
            Self::TooManyMessages | Self::Internal(_) => "Something went wrong on the server.".to_owned(),
        }
    }

    /// After how many seconds the client may try again, if it has asked for too much.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            // A reply takes some seconds, and then the next one's turn has come.
            Self::TooManyQueued(_) => Some(5),
            Self::TooMuchInHand => Some(1),
            _ => None,
        }
    }

    /// Writes what the client is not told to the log. Called once, where the error leaves the server. Of
    /// [`Error::Unavailable`] the log is told when it begins, and now and then, and not each time.
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
        matches!(self, Self::Unavailable(_) | Self::Unreachable(_) | Self::Conflict(_))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        kind(&error)(error.to_string())
    }
}

/// What `error` is a case of.
fn kind(error: &DbErr) -> fn(String) -> Error {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match &**error {
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed => Error::Unreachable,
            SqlxError::Database(error) => error.code().map_or(Error::Internal, |code| kind_of_code(&code)),
            _ => Error::Internal,
        },
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Error::Unreachable,
        _ => Error::Internal,
    }
}

/// Whether `error` says that another connection holds the SQLite file just now.
pub(crate) fn is_locked(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| [5, 6].contains(&(code & 0xff)))
}

/// Whether `code` is of a database that is there but cannot serve now.
pub(crate) fn is_outage(code: &str) -> bool {
    kind_of_code(code)(String::new()).is_unavailable()
}

/// What a code of PostgreSQL, or one of SQLite with or without its extension, says of the database.
fn kind_of_code(code: &str) -> fn(String) -> Error {
    match code {
        // Serialisation failures, deadlocks, and a lock that did not come in time.
        "40001" | "40P01" | "55P03" => Error::Conflict,
        // A statement or a silent transaction that took too long.
        "57014" | "25P03" => Error::Unavailable,
        // The database has become one that only reads: after a fail-over its successor is elsewhere.
        "25006" => Error::Unreachable,
        _ if code.len() == 5 => match code.get(..2) {
            // Connections, and intervention of the operator.
            Some("08" | "57") => Error::Unreachable,
            // Resources.
            Some("53") => Error::Unavailable,
            _ => Error::Internal,
        },
        // Busy, locked, interrupted, I/O error, full, cannot open.
        _ if code.parse::<u32>().is_ok_and(|code| [5, 6, 9, 10, 13, 14].contains(&(code & 0xff))) => {
            Error::Unavailable
        }
        _ => Error::Internal,
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        error.log();
        Self::new(error.message()).extend_with(|_, extensions| {
            extensions.set("code", error.code());
            if let Some(seconds) = error.retry_after() {
                extensions.set("retryAfter", seconds);
            }
        })
    }
}
