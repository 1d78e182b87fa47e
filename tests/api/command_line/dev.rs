//! `serve --dev`: everything that a newcomer needs, for this machine alone.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tempfile::TempDir;

use super::run;
use crate::support::{Client, Process, TestDatabase, causerie};

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

#[tokio::test]
async fn pages_of_this_machine_may_use_it_and_no_others() {
    let directory = TempDir::new().unwrap();
    let (server, token) = start(&directory).await;
    let dev = Client::new(server.url(), Some(token));
    let allowed = async |client: &Client, origin: &str| {
        let query = client.post("/graphql").json(&json!({ "query": "{ viewer { id } }" }));
        let answer = query.header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let allowed = answer.headers().get("access-control-allow-origin");
        allowed.map(|origin| origin.to_str().unwrap().to_owned())
    };
    for origin in ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:8000", "https://localhost"]
    {
        assert_eq!(allowed(&dev, origin).await.as_deref(), Some(origin));
    }
    for origin in
        ["https://evil.example", "http://localhost.evil.example:5173", "http://192.168.0.2:5173", "null"]
    {
        assert_eq!(allowed(&dev, origin).await, None, "{origin}");
    }
    // The page that holds the token is not for other pages to read.
    let page = dev.get("/graphiql").header("origin", "http://localhost:5173").send().await.unwrap();
    assert_eq!(page.headers().get("access-control-allow-origin"), None);

    let database = TestDatabase::sqlite();
    let server = Process::start(&database, &[]).await;
    assert_eq!(allowed(&server.user("ann"), "http://localhost:5173").await, None, "without --dev");
}
