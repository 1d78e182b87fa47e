//! `serve --dev`: everything that a newcomer needs, for this machine alone.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tempfile::TempDir;

use super::run;
use crate::support::{Client, Process, causerie};

/// Starts a development server in `directory`; returns it and the token that it prints.
async fn start(directory: &TempDir) -> (Process, String) {
    let mut command = causerie(directory.path());
    command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--log", "warn"]);
    let (server, printed) = Process::of(command, "token ").await;
    let text = printed.join("\n");
    for part in [
        format!("causerie is listening on {}", server.url()),
        format!("{}/graphql", server.url()),
        format!("{}/graphiql", server.url()),
        "SQLite, causerie.db".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} is not in {text}");
    }
    let token = printed.last().unwrap().split_whitespace().last().unwrap().to_owned();
    (server, token)
}

#[tokio::test]
async fn it_makes_a_secret_once_and_keeps_it_to_itself() {
    let directory = TempDir::new().unwrap();
    let (server, token) = start(&directory).await;
    let dev = Client::new(server.url(), Some(token.clone()));
    assert_eq!(dev.data("{ viewer { id } }", json!({})).await["viewer"]["id"], "dev");
    let id = dev.start("hello").await;

    let path = directory.path().join("causerie.db.dev-secret");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = std::fs::read_to_string(&path).unwrap();
    assert!(secret.trim().len() >= 32);
    assert_eq!(server.stop().await, Some(0));

    // After a restart the token of before is good, and everything is there.
    let (server, _) = start(&directory).await;
    let dev = Client::new(server.url(), Some(token));
    assert_eq!(dev.messages(&id).await.len(), 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), secret);

    // Tokens for others are made with the same secret.
    let token = run(directory.path(), &[], &["token", "--user", "ann"]).await.printed();
    let ann = Client::new(server.url(), Some(token.trim().to_owned()));
    assert_eq!(ann.data("{ viewer { id } }", json!({})).await["viewer"]["id"], "ann");
    assert_eq!(ann.messages(&id).await.len(), 0);
}

#[tokio::test]
async fn a_secret_that_was_spoilt_is_refused() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("causerie.db.dev-secret"), "swordfish\n").unwrap();
    let ran = run(directory.path(), &[], &["serve", "--dev", "--listen", "127.0.0.1:0"]).await;
    ran.assert_refused("causerie.db.dev-secret");
    assert!(!ran.stderr.contains("swordfish"), "{}", ran.stderr);
}
