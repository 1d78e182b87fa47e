//! The command line: what it does, and how it says that it cannot.

mod assistants;
mod commands;
mod dev;
mod refusals;
mod secrets;
mod starting;
mod stopping;
mod tls;
mod upgrades;

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::support::causerie;

/// What a command has printed, and how it ended.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program to its end.
async fn run(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = causerie(directory);
    command.args(arguments).envs(environment.iter().copied());
    let output =
        timeout(Duration::from_secs(30), command.output()).await.expect("it comes to an end").unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// It printed this and had nothing to complain of.
    #[track_caller]
    fn printed(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        self.stdout
    }

    /// It said in one line, with `part` in it, why it does not do what was asked.
    #[track_caller]
    fn assert_refused(&self, part: &str) {
        assert!(!matches!(self.code, Some(0) | None), "it exited with {:?}", self.code);
        assert_eq!(self.stdout, "");
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("causerie: "), "{}", self.stderr);
        assert!(self.stderr.contains(part), "{part:?} is not in {}", self.stderr);
    }
}
