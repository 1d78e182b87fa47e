//! Counting by Valgrind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::piece::Piece;

/// The instructions of a round of each piece, by its name, and of a message of a page.
pub(crate) fn all() -> BTreeMap<String, u64> {
    let directory = tempfile::tempdir().unwrap();
    let filled = directory.path().join("filled.db");
    let status = Command::new(program()).arg("fill").arg(&filled).status().unwrap();
    assert!(status.success(), "the database could not be filled");
    let mut counts = BTreeMap::new();
    for piece in Piece::ALL {
        let [few, many] = piece.rounds();
        let [less, more] = [few, many].map(|rounds| count(piece, rounds, &filled));
        counts.insert(piece.name().to_owned(), more.saturating_sub(less) / (many - few));
    }
    let forty = counts["open"].saturating_sub(counts[Piece::OpenFew.name()]);
    counts.insert("open, each message".to_owned(), forty / 40);
    counts
}

/// How many instructions a process takes that does `piece` so many times.
fn count(piece: Piece, rounds: u64, filled: &Path) -> u64 {
    let file = filled.with_file_name("counted.db");
    // What was committed last may be in the log beside the file.
    for part in ["db", "db-wal", "db-shm"] {
        let _ = fs::remove_file(file.with_extension(part));
    }
    for part in ["db", "db-wal"].map(|part| filled.with_extension(part)).iter().filter(|part| part.exists()) {
        fs::copy(part, file.with_extension(part.extension().unwrap())).unwrap();
    }
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program())
        .args(["run", piece.name(), &rounds.to_string()])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("valgrind: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find_map(|line| line.split("refs:").nth(1)).filter(|_| output.status.success());
    let digits: String =
        line.unwrap_or_else(|| panic!("valgrind: {text}")).chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn program() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}
