//! Whether the database can be reached at all, and why not.

use std::io::ErrorKind;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{ConnectOptions, Connection, PgConnection};
use sea_orm::{DbBackend, SqlxError};

use super::{Database, PATIENCE, within};
use crate::error::{Error, is_outage};

impl Database {
    /// Connects once, past the pool, which does not say why it cannot. SQLite's file was opened before.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database may be reachable soon; [`Error::Internal`] if it refuses this server, or
    /// the address is wrong.
    pub async fn reach(&self) -> Result<(), Error> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        within(PATIENCE, async {
            let options = self.address.url().parse::<PgConnectOptions>().map_err(|error| explain(&error))?;
            let options = options.application_name("causerie").disable_statement_logging();
            let connection = PgConnection::connect_with(&options).await.map_err(|error| explain(&error))?;
            // It has served its purpose, however it ends.
            let _ = connection.close().await;
            Ok(())
        })
        .await
    }
}

fn explain(error: &SqlxError) -> Error {
    let may_pass = match error {
        // A certificate that is not trusted is one of the latter.
        SqlxError::Io(error) => !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput),
        SqlxError::Database(error) => error.code().is_some_and(|code| is_outage(&code)),
        SqlxError::Configuration(_) | SqlxError::Tls(_) => false,
        _ => true,
    };
    if may_pass { Error::Unavailable(error.to_string()) } else { Error::Internal(error.to_string()) }
}
