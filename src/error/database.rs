//! What an error of the database means.

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use super::Error;

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
