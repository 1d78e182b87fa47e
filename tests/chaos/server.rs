//! One server as a process of its own.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::api::Api;
use crate::provider::microseconds;

/// The secret that all servers share.
pub const SECRET: &str = "a secret of the chaos that is long enough";

/// How much one client may take of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// As much as by default.
    Default,
    /// Anything: all clients of a run come from one address, as fast as they can.
    None,
}

/// How long a server may take to say whether it is ready, and how long it is left alone then.
const READY_PATIENCE: Duration = Duration::from_secs(1);
const READY_PAUSE: Duration = Duration::from_millis(20);

/// What else there are limits of than rates.
const LIMITED: [&str; 6] = [
    "USER_REQUESTS",
    "USER_SOCKETS",
    "USER_SUBSCRIPTIONS",
    "SUBSCRIPTIONS",
    "ADDRESS_CONNECTIONS",
    "USER_REPLIES",
];

/// The program that is run.
fn program() -> String {
    std::env::var("CHAOS_SERVER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_causerie").to_owned())
}

/// What is to be known of a program to understand its figures.
pub fn build() -> String {
    match std::env::var("CHAOS_SERVER") {
        Ok(program) => program,
        Err(_) if cfg!(debug_assertions) => "debug build".to_owned(),
        Err(_) => "release build".to_owned(),
    }
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    /// Between which instants, in Unix milliseconds, it made up the name under which it holds leases.
    pub born: (u64, u64),
}

impl Server {
    /// Starts `causerie serve` on a free port, and waits until it serves. Its log goes to `log`. `CHAOS_SERVER` names
    /// another program than the one of this build, to compare two of them.
    ///
    /// # Errors
    /// If it ends before that.
    pub async fn start(
        database: &str,
        limits: Limits,
        arguments: &[String],
        log: &Path,
    ) -> Result<Self, String> {
        let log = File::options().create(true).append(true).open(log).map_err(|error| error.to_string())?;
        let mut command = Command::new(program());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAUSERIE_")) {
            command.env_remove(name);
        }
        if limits == Limits::None {
            command.envs(["USER_RATE", "ADDRESS_RATE"].map(|name| (format!("CAUSERIE_{name}"), "0")));
            command.envs(LIMITED.map(|name| (format!("CAUSERIE_MAX_{name}"), "100000")));
        }
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("CAUSERIE_AUTH_SECRET", SECRET)
            .env("DATABASE_URL", database)
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
        let mut server = Self { child, url, born: (before, 0) };
        server.become_ready().await?;
        server.born.1 = microseconds() / 1000;
        Ok(server)
    }

    /// Waits until it serves. It listens sooner, and makes up its name once the database is there.
    async fn become_ready(&mut self) -> Result<(), String> {
        let (api, page) = (Api::new(), format!("{}/readyz", self.url));
        while api.status(&page, READY_PATIENCE).await != Some(200) {
            if let Some(status) = self.ended() {
                return Err(format!("it ended before it was ready: {status}"));
            }
            sleep(READY_PAUSE).await;
        }
        Ok(())
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
