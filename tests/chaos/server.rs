//! One server as a process of its own.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::provider::microseconds;

/// The secret that all servers share.
pub const SECRET: &str = "a secret of the chaos that is long enough";

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    /// Between which instants, in Unix milliseconds, it made up the name under which it holds leases.
    pub born: (u64, u64),
}

impl Server {
    /// Starts `causerie serve` on a free port, and waits until it listens. Its log goes to `log`.
    ///
    /// # Errors
    /// If it ends before it listens, as it does while the database is away.
    pub async fn start(database: &str, arguments: &[String], log: &Path) -> Result<Self, String> {
        let log = File::options().create(true).append(true).open(log).map_err(|error| error.to_string())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_causerie"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAUSERIE_")) {
            command.env_remove(name);
        }
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("CAUSERIE_AUTH_SECRET", SECRET)
            .env("DATABASE_URL", database)
            // All of them come from one address, as fast as they can.
            .envs(["USER_RATE", "ADDRESS_RATE"].map(|name| (format!("CAUSERIE_{name}"), "0")))
            .envs(
                ["USER_REQUESTS", "USER_SOCKETS", "USER_SUBSCRIPTIONS", "SUBSCRIPTIONS"]
                    .map(|name| (format!("CAUSERIE_MAX_{name}"), "100000")),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let before = microseconds() / 1000;
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let first = timeout(Duration::from_secs(15), lines.next_line()).await;
        let first =
            first.map_err(|_| "it does not say where it listens")?.map_err(|error| error.to_string())?;
        let first = first.ok_or("it ended at once")?;
        let url = first.rsplit(' ').next().unwrap_or_default().to_owned();
        // Somebody has to read on, or the server's output would break.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, url, born: (before, microseconds() / 1000) })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many bytes of memory it holds.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap_or(0)));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends a signal, such as `STOP`, `CONT` or `TERM`.
    pub async fn signal(&self, name: &str) {
        let Some(id) = self.child.id() else { return };
        let status = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await;
        assert!(status.unwrap().success(), "a running process takes signals");
    }

    /// Waits for its end, at most `patience`.
    pub async fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        timeout(patience, self.child.wait()).await.ok().map(Result::unwrap)
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}
