//! What was counted before: `recorded.json`, by compiler and profile.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The counts of each build.
pub(crate) struct Record(BTreeMap<String, BTreeMap<String, u64>>);

/// What counts depend on beside the code: another compiler or profile makes other instructions of it.
pub(crate) fn build() -> String {
    let version = Command::new("rustc").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let version = version.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{version} {} {profile}", std::env::consts::ARCH)
}

impl Record {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_slice(&fs::read(path()).unwrap()).unwrap())
    }

    /// What is recorded for this build.
    pub(crate) fn get(&self) -> Option<&BTreeMap<String, u64>> {
        self.0.get(&build())
    }

    /// Replaces what is recorded for this build.
    pub(crate) fn set(&mut self, counts: BTreeMap<String, u64>) {
        self.0.insert(build(), counts);
    }

    pub(crate) fn write(&self) {
        let text = serde_json::to_string_pretty(&self.0).unwrap() + "\n";
        fs::write(path(), text).unwrap();
        println!("{}", path().display());
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/instructions/recorded.json")
}
