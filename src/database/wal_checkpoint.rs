//! Copying what was committed from SQLite's write-ahead log into the file, beside the writes.
//!
//! By itself SQLite does so within a commit, as soon as the log has 1,000 pages: then that write waits for the disk to take
//! them, and all behind it do. Here most are copied meanwhile by another connection, for which nobody waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::Database;
use crate::background;
use crate::error::Error;

/// How often that is done, if something was written.
pub const PERIOD: Duration = Duration::from_millis(500);

/// With how many pages in the log a commit copies the rest. While others write, only that lets the log begin anew: it must
/// have nothing that is not copied.
pub(super) const COMMIT_PAGES: &str = "4000";

/// Copies what was committed every `period` until `shutdown`. On PostgreSQL nothing is done.
pub fn keep(database: &Database, period: Duration, shutdown: CancellationToken) {
    let Some(reader) = &database.sqlite_reader else { return };
    let file = Arc::new(LoggedFile::new(reader.file().to_owned()));
    background::repeat(period, shutdown, move || {
        let file = file.clone();
        async move {
            let failed = |error: &dyn std::fmt::Display| Error::Internal(format!("write-ahead log: {error}"));
            let copied = spawn_blocking(move || file.copy()).await.map_err(|error| failed(&error))?;
            copied.map_err(|error| failed(&error)).map(|()| false)
        }
    });
}

/// A database's file, its log, and when the log had been written to as it was last copied.
struct LoggedFile {
    file: PathBuf,
    log: PathBuf,
    copied: Mutex<Option<SystemTime>>,
}

impl LoggedFile {
    fn new(file: PathBuf) -> Self {
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        Self { file, log: log.into(), copied: Mutex::default() }
    }

    fn copy(&self) -> rusqlite::Result<()> {
        let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.log.metadata().and_then(|log| log.modified()).ok();
        if written == *copied {
            return Ok(());
        }
        // What fails is tried again after the next write, and so it is not logged at each pass.
        *copied = written;
        checkpoint(&self.file)
    }
}

/// Copies what no reader of an older state stands in the way of. It waits for nobody.
fn checkpoint(file: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::Address;
    use super::*;

    const PAGE: u64 = 4096;

    #[tokio::test]
    async fn what_is_committed_is_in_the_file_soon_and_the_log_begins_anew() {
        let directory = TempDir::new().unwrap();
        // Addresses have such names encoded.
        let path = directory.path().join("logged here.db");
        let address = format!("sqlite://{}", path.display()).replace(' ', "%20");
        let address = Address::parse(&address).unwrap();
        let database = Database::connect(address, 2).await.unwrap();
        let write = async |sql: &str| database.update(database.statement(sql, [])).await.unwrap();
        write("CREATE TABLE rows (data)").await;
        write("INSERT INTO rows VALUES (zeroblob(1000000))").await;
        let size = |path: &Path| path.metadata().unwrap().len();
        assert!(size(&path) < 1_000_000, "by itself it is not copied so soon");

        let ended = CancellationToken::new();
        let _end = ended.clone().drop_guard();
        keep(&database, Duration::from_millis(10), ended);
        let copied = async {
            while size(&path) < 1_000_000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), copied).await.expect("it is copied");
        let most: u64 = COMMIT_PAGES.parse().unwrap();
        for _ in 0..40 {
            write("UPDATE rows SET data = randomblob(1000000)").await;
        }
        let log = size(&directory.path().join("logged here.db-wal"));
        assert!(log < 2 * most * PAGE, "{log} bytes in the log");
    }
}
