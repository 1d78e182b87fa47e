//! A server as a process of its own, to be stopped, frozen and killed.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Client, SECRET, TestDatabase, token_for};

/// A running process of the real binary. Dropping it kills it.
pub struct Process {
    child: Child,
    url: String,
}

impl Process {
    /// Starts `causerie serve` on a free port, with `arguments` after the usual ones, and waits until it listens.
    pub async fn start(database: &TestDatabase, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_causerie"));
        // What the machine's environment sets for a server is none of the test's business.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAUSERIE_")) {
            command.env_remove(name);
        }
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .args(arguments)
            .env("CAUSERIE_AUTH_SECRET", SECRET)
            .env("DATABASE_URL", database.url())
            .current_dir(database.directory())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("the server says where it listens");
        let url = first.rsplit(' ').next().unwrap().to_owned();
        // Somebody has to read on, or the server's output would break.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, url }
    }

    pub fn url(&self) -> &str {
        &self.url
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
        let id = self.child.id().expect("the process runs").to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
        assert!(status.success());
    }

    /// Asks the process to stop and returns its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        self.signal("TERM").await;
        self.child.wait().await.unwrap().code()
    }
}
