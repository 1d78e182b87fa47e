//! Where the database is, as the operator says it.

use std::path::PathBuf;

use clap::Args;

use super::Address;
use crate::options::read_secret;

/// Where the database is.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Options {
    /// The database's address: `sqlite://path?mode=rwc` or `postgres://user:password@host/name`.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", default_value = "sqlite://causerie.db?mode=rwc",
        hide_env_values = true, value_parser = Address::parse)]
    database_url: Address,
    /// A file that holds the database's address.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
}

impl Options {
    /// The database's address.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn address(&self) -> Result<Address, String> {
        match &self.database_url_file {
            Some(path) => read_secret("--database-url-file", path, Address::parse),
            None => Ok(self.database_url.clone()),
        }
    }
}
