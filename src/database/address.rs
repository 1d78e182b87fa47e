//! Where the database is.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use sea_orm::DbBackend;
use url::Url;

/// Parameters of a PostgreSQL address that name a file, if they do not hold its content.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

/// The address of a database. Its `Debug` and `Display` leave out user and password.
#[derive(Clone)]
pub struct Address {
    url: String,
    backend: DbBackend,
}

impl Address {
    /// Reads `sqlite://path?mode=rwc`, `sqlite:path` or `postgres://…`.
    ///
    /// # Errors
    /// A sentence for the operator, without the password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match scheme {
            "sqlite" if rest.contains(":memory:") || rest.contains("mode=memory") => {
                Err("an SQLite database in memory would forget every conversation: give a file, \
                 such as sqlite://causerie.db"
                    .to_owned())
            }
            "sqlite" if rest.trim_start_matches('/').split('?').next().unwrap_or("").is_empty() => {
                Err("the SQLite address names no file: give one, such as sqlite://causerie.db".to_owned())
            }
            "sqlite" => Ok(Self { url: text.to_owned(), backend: DbBackend::Sqlite }),
            "postgres" | "postgresql" => {
                let url = format!("postgres:{rest}");
                let parsed = Url::parse(&url)
                    .map_err(|error| format!("the PostgreSQL address is malformed: {error}"))?;
                check_files(&parsed)?;
                Ok(Self { url, backend: DbBackend::Postgres })
            }
            _ => Err("the database address must begin with sqlite: or postgres:".to_owned()),
        }
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    /// The file of an SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let path = self.url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        Some(Path::new(path.split('?').next()?).to_owned())
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The driver would not say which file it cannot read, and that is nothing to wait for.
fn check_files(url: &Url) -> Result<(), String> {
    let is_file = |value: &str| !value.starts_with("-----BEGIN");
    for (name, path) in url.query_pairs().filter(|(name, value)| FILES.contains(&&**name) && is_file(value)) {
        File::open(&*path)
            .map_err(|error| format!("{name} of the PostgreSQL address: cannot read {path}: {error}"))?;
    }
    Ok(())
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file(), Url::parse(&self.url)) {
            (Some(file), _) => write!(formatter, "SQLite, {}", file.display()),
            (None, Ok(url)) => {
                let host = url.host_str().unwrap_or("local socket");
                write!(formatter, "PostgreSQL, {host}{}", url.path())
            }
            (None, Err(_)) => formatter.write_str("PostgreSQL"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_in_every_spelling() {
        for text in ["sqlite://data/c.db?mode=rwc", "sqlite:data/c.db", "sqlite://data/c.db"] {
            assert_eq!(Address::parse(text).unwrap().file().unwrap(), Path::new("data/c.db"), "{text}");
        }
        let absolute = Address::parse("sqlite:///var/c.db").unwrap();
        assert_eq!(absolute.file().unwrap(), Path::new("/var/c.db"));
    }

    #[test]
    fn what_would_lose_data_or_is_no_address_is_refused() {
        for text in [
            "sqlite::memory:",
            "sqlite://x?mode=memory",
            "sqlite://",
            "mysql://h/d",
            "x",
            "",
            "postgres://h:p",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_password_is_never_printed() {
        let address = Address::parse("postgresql://ann:secret@db.example:5433/chat?sslmode=require").unwrap();
        assert_eq!(
            format!("{address} {address:?}"),
            "PostgreSQL, db.example/chat Address(PostgreSQL, db.example/chat)"
        );
    }
}
