//! Checking whether the database can be reached, and why not.

use std::io::ErrorKind;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{ConnectOptions, Connection, PgConnection};
use sea_orm::{DbBackend, SqlxError};

use super::Database;
use super::retry::within_timeout;
use crate::error::{Error, is_outage};

impl Database {
    /// Connects once, outside of the pool, whose error does not say why a connection failed. On SQLite it does nothing,
    /// as the file is open already.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if another try may succeed; [`Error::Internal`] if the database refuses this server or
    /// the address is wrong.
    pub async fn check_reachable(&self) -> Result<(), Error> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        within_timeout(async {
            let options = self.address.url().parse::<PgConnectOptions>().map_err(|error| explain(&error))?;
            let options = options.application_name("causerie").disable_statement_logging();
            let connection = PgConnection::connect_with(&options).await.map_err(|error| explain(&error))?;
            // That it was opened is all that matters.
            let _ = connection.close().await;
            Ok(())
        })
        .await
    }
}

fn explain(error: &SqlxError) -> Error {
    let may_recover = match error {
        // An untrusted certificate is reported as invalid data.
        SqlxError::Io(error) => !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput),
        SqlxError::Database(error) => error.code().is_some_and(|code| is_outage(&code)),
        SqlxError::Configuration(_) | SqlxError::Tls(_) => false,
        _ => true,
    };
    if may_recover { Error::Unavailable(error.to_string()) } else { Error::Internal(error.to_string()) }
}
