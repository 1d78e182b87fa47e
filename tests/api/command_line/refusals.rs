//! One line on standard error, and an exit code that is not 0.

use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::run;
use crate::support::{SECRET, on_both_databases};

type Environment<'a> = &'a [(&'a str, &'a str)];

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

#[tokio::test]
async fn settings_that_cannot_be_meant_are_refused() {
    let directory = TempDir::new().unwrap();
    let jwks = &["--auth-jwks-url", "https://issuer.example/jwks"];
    let cases: &[(&[&str], &str)] = &[
        (&["--listen", "nonsense"], "--listen"),
        (&["--listen", "127.0.0.1"], "--listen"),
        (&["--log-format", "xml"], "--log-format"),
        (&["--log", "causerie=loud"], "--log"),
        (&["--auth-required-claim", "token_use"], "--auth-required-claim"),
        (&["--nonsense"], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["--reply-lease", "1ms"], "--reply-lease"),
        (&["--reply-lease", "soon"], "--reply-lease"),
        (&["--reply-lease", "1s", "--reply-checkpoint", "1s"], "--reply-checkpoint"),
        (&["--reply-attempts", "0"], "--reply-attempts"),
        (&["--max-message-chars", "0"], "--max-message-chars"),
        (&["--max-message-chars", "many"], "--max-message-chars"),
        (&["--database-connections", "1"], "--database-connections"),
        (&["--assistant-url", "http://127.0.0.1:1/v1"], "--assistant-model"),
        (&["--assistant-url", "nonsense", "--assistant-model", "m"], "assistant"),
        (&["--assistant-url", "http://assistant.example/v1", "--assistant-model", "m"], "plain"),
        (&["--dev", "--listen", "0.0.0.0:0"], "loopback"),
        (&["--dev", "--listen", "[::]:0"], "loopback"),
        (jwks, "one"),
    ];
    for (arguments, part) in cases {
        // What is given later takes the place of what was given before, here as on any command line of its kind.
        let listen: &[&str] = if arguments.contains(&"--listen") { &["serve"] } else { SERVE };
        let arguments = [listen, arguments].concat();
        run(directory.path(), &[("CAUSERIE_AUTH_SECRET", SECRET)], &arguments).await.assert_refused(part);
    }
    let ran = run(directory.path(), &[("CAUSERIE_LOG_FORMAT", "xml")], SERVE).await;
    ran.assert_refused("--log-format");
    let ran = run(directory.path(), &[("CAUSERIE_LISTEN", "nonsense")], &["serve"]).await;
    ran.assert_refused("--listen");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was begun");
}

#[tokio::test]
async fn without_a_word_on_tokens_it_does_not_start() {
    let directory = TempDir::new().unwrap();
    let ran = run(directory.path(), &[], SERVE).await;
    for setting in ["CAUSERIE_AUTH_JWKS_URL", "CAUSERIE_AUTH_JWKS_FILE", "CAUSERIE_AUTH_SECRET", "--dev"] {
        ran.assert_refused(setting);
    }
    run(directory.path(), &[], &["token", "--user", "ann"]).await.assert_refused("CAUSERIE_AUTH_SECRET");
    let missing = [SERVE, &["--auth-jwks-file", "missing.json"]].concat();
    run(directory.path(), &[], &missing).await.assert_refused("missing.json");
}

#[tokio::test]
async fn a_refusal_does_not_repeat_a_secret() {
    let directory = TempDir::new().unwrap();
    let cases: &[(Environment<'_>, &[&str], &str)] = &[
        (&[("CAUSERIE_AUTH_SECRET", "swordfish")], &[], "32"),
        (&[], &["--auth-secret", "swordfish"], "--auth-secret"),
        (&[("DATABASE_URL", "mysql://ann:swordfish@127.0.0.1/chat")], &["--dev"], "sqlite: or postgres:"),
        (&[("DATABASE_URL", "postgres://ann:swordfish@127.0.0.1:port/chat")], &["--dev"], "port"),
        (&[("CAUSERIE_AUTH_JWKS_URL", "swordfish")], &[], "--auth-jwks-url"),
        (&[("CAUSERIE_AUTH_JWKS_URL", "http://u:swordfish@issuer.example/jwks")], &[], "plain"),
        (
            &[("CAUSERIE_ASSISTANT_URL", "ftp://u:swordfish@h/"), ("CAUSERIE_ASSISTANT_KEY", "swordfish")],
            &["--dev", "--assistant-model", "m"],
            "http",
        ),
    ];
    for (environment, arguments, part) in cases {
        let ran = run(directory.path(), environment, &[SERVE, arguments].concat()).await;
        ran.assert_refused(part);
        assert!(!ran.stderr.contains("swordfish"), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn a_database_that_would_not_last_or_cannot_be_opened_is_refused() {
    let directory = TempDir::new().unwrap();
    for (url, part) in [
        ("sqlite::memory:", "forget"),
        ("sqlite://missing/directory/causerie.db?mode=rwc", "missing/directory"),
        ("sqlite://.?mode=rwc", "open"),
    ] {
        let environment = [("CAUSERIE_AUTH_SECRET", SECRET), ("DATABASE_URL", url)];
        run(directory.path(), &environment, SERVE).await.assert_refused(part);
    }
    std::fs::write(directory.path().join("notes.txt"), "This is no database at all. ".repeat(100)).unwrap();
    let environment = [("CAUSERIE_AUTH_SECRET", SECRET), ("DATABASE_URL", "sqlite://notes.txt")];
    run(directory.path(), &environment, SERVE).await.assert_refused("notes.txt");
}

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let directory = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran =
        run(directory.path(), &[("CAUSERIE_AUTH_SECRET", SECRET)], &["serve", "--listen", &address]).await;
    ran.assert_refused(&format!("cannot listen on {address}"));
}

on_both_databases! {
    async fn a_database_newer_than_the_binary_is_refused(database) {
        database.connect().await;
        let raw = database.raw().await;
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_future', 0)";
        raw.execute_unprepared(newer).await.unwrap();
        let environment = [("CAUSERIE_AUTH_SECRET", SECRET), ("DATABASE_URL", database.url())];
        for arguments in [SERVE, &["migrate", "up"], &["migrate", "status"], &["migrate", "down"]] {
            let ran = run(database.directory(), &environment, arguments).await;
            ran.assert_refused("newer than this version of causerie");
        }
        assert_eq!(database.number("SELECT count(*) FROM message").await, 0, "nothing was taken back");
    }
}
