//! The secret of `serve --dev`: made once, and kept beside the database.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use causerie::auth::Secret;
use causerie::database::Address;
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

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

/// Makes a secret, unless there is one; returns the one that there is then. Who comes second finds the first one's
/// whole: it is written beside its place, and put there under its name only if nothing is.
fn make(path: &Path) -> io::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random numbers"))?;
    let secret = bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let draft = path.with_added_extension(Uuid::now_v7().to_string());
    let put = write(&draft, &secret).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match put {
        Ok(()) => removed.map(|()| secret),
        // Another server was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read_to_string(path),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, secret: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn nobody_finds_half_a_secret() {
        for round in 0..200 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("c.db.dev-secret");
            let barrier = Barrier::new(8);
            let secrets: Vec<String> = thread::scope(|scope| {
                let start = |number| {
                    let (barrier, path) = (&barrier, &path);
                    move || {
                        barrier.wait();
                        // Some come when it is being made, and some make it themselves.
                        loop {
                            match fs::read_to_string(path) {
                                Ok(secret) => return secret,
                                Err(_) if number < 4 => return make(path).unwrap(),
                                Err(_) => thread::yield_now(),
                            }
                        }
                    }
                };
                let servers: Vec<_> = (0..8).map(|number| scope.spawn(start(number))).collect();
                servers.into_iter().map(|server| server.join().unwrap().trim().to_owned()).collect()
            });
            assert_eq!(secrets, vec![secrets[0].clone(); 8], "round {round}");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
        }
    }
}
