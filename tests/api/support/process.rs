//! A server as a process of its own, to be stopped, frozen and killed.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::{Client, SECRET, TestDatabase, token_for};

/// How the first line begins that a server prints when it is ready.
const READY: &str = "causerie is listening on ";

/// The program, to be run in `directory`; what the machine's environment sets for a server is left out.
pub fn causerie(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_causerie"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAUSERIE_")) {
        command.env_remove(name);
    }
    command.env_remove("DATABASE_URL").current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A running process of the real binary. Dropping it kills it.
pub struct Process {
    child: Child,
    url: String,
    log: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts `causerie serve` on a free port, with `arguments` after the usual ones, and waits until it listens.
    pub async fn start(database: &TestDatabase, arguments: &[&str]) -> Self {
        let mut command = Self::command(database);
        command.args(["--log", "warn"]).args(arguments);
        Self::of(command, READY).await.0
    }

    /// As [`Self::start`], with its own `--log` among `arguments`; [`Self::stop_with_log`] returns what it logged.
    pub async fn logging(database: &TestDatabase, arguments: &[&str]) -> Self {
        let mut command = Self::command(database);
        command.args(arguments).stderr(Stdio::piped());
        Self::of(command, READY).await.0
    }

    fn command(database: &TestDatabase) -> Command {
        let mut command = causerie(database.directory());
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("CAUSERIE_AUTH_SECRET", SECRET)
            .env("DATABASE_URL", database.url())
            // Tests send as fast as they can, all of them from one address.
            .env("CAUSERIE_USER_RATE", "0")
            .env("CAUSERIE_ADDRESS_RATE", "0");
        command
    }

    /// Runs `command` until it has printed a line that begins with `last`; returns the lines up to there.
    pub async fn of(mut command: Command, last: &str) -> (Self, Vec<String>) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let log = child.stderr.take().map(|mut stderr| {
            tokio::spawn(async move {
                let mut text = String::new();
                stderr.read_to_string(&mut text).await.unwrap();
                text
            })
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed: Vec<String> = Vec::new();
        while !printed.last().is_some_and(|line| line.trim_start().starts_with(last)) {
            printed.push(lines.next_line().await.unwrap().expect("the server says where it listens"));
        }
        let url = printed[0].rsplit(' ').next().unwrap().to_owned();
        // Somebody has to read on, or the server's output would break.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        (Self { child, url, log }, printed)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id that the system knows it by.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// A client of the user with this id.
    pub fn user(&self, id: &str) -> Client {
        Client::new(&self.url, Some(token_for(id)))
    }

    /// Ends the process at once, as `kill -9` does.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends a signal, such as `STOP`, `CONT` or `TERM`.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
        assert!(status.success());
    }

    /// Asks the process to stop and returns its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        self.signal("TERM").await;
        self.wait().await
    }

    /// Waits for the process to end and returns its exit code.
    pub async fn wait(&mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }

    /// Asks the process to stop and returns what it has logged.
    pub async fn stop_with_log(mut self) -> String {
        self.signal("TERM").await;
        assert_eq!(self.wait().await, Some(0));
        self.log.expect("it was started with `logging`").await.unwrap()
    }
}
