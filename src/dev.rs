//! The secret of `serve --dev`: made once, and kept beside the database.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use causerie::auth::Secret;
use causerie::database::Address;
use ring::rand::{SecureRandom, SystemRandom};

/// The development secret of `database`, made now if there is none.
pub(crate) fn secret(database: &Address) -> Result<Secret, String> {
    let path = path(database);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(&path).map_err(|error| format!("cannot write {}: {error}", path.display()))?
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    Secret::new(text.trim()).map_err(|error| format!("{}: {error}", path.display()))
}

/// The development secret of `database`, if there is one.
pub(crate) fn existing_secret(database: &Address) -> Result<Option<Secret>, String> {
    if path(database).exists() { secret(database).map(Some) } else { Ok(None) }
}

fn path(database: &Address) -> PathBuf {
    match database.file() {
        Some(file) => file.with_added_extension("dev-secret"),
        None => PathBuf::from("causerie.dev-secret"),
    }
}

fn make(path: &Path) -> io::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random numbers"))?;
    let secret = bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            writeln!(file, "{secret}")?;
            Ok(secret)
        }
        // Another server was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read_to_string(path),
        Err(error) => Err(error),
    }
}
