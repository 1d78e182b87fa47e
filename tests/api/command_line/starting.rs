//! A server whose database is away when it starts waits for it; one that is refused says so.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::run;
use crate::support::{Process, Proxy, SECRET, TestDatabase};

/// Starts a server while its database is away as `outage` has it, and lets the database come back.
async fn starts_before_its_database(outage: fn(&Proxy)) {
    let database = TestDatabase::postgres().await;
    let proxy = Proxy::to(database.url()).await;
    outage(&proxy);
    let server = Process::logging(&database.behind(&proxy), &["--log-format", "json"]).await;
    let ann = server.user("ann");
    assert_eq!(ann.get("/healthz").send().await.unwrap().status(), 200);
    for path in ["/readyz", "/graphql", "/graphiql"] {
        let response = ann.get(path).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["retry-after"].as_bytes()),
            (503, &b"1"[..])
        );
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{path}");
    }
    assert_eq!(ann.try_send("hello", json!({})).await.code(), "UNAVAILABLE");
    // Several tries fail meanwhile.
    sleep(Duration::from_millis(1500)).await;
    proxy.mend();
    let ready = async {
        while ann.get("/readyz").send().await.unwrap().status() != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(10), ready).await.expect("it is ready soon after its database is back");
    ann.start("hello").await;
    let log = server.stop_with_log().await;
    let warnings: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["level"] != "INFO")
        .map(|line| line["message"].clone())
        .collect();
    assert_eq!(warnings.len(), 2, "it says that the database is away, and that it waits: {warnings:?}");
    assert_eq!(warnings[0], "service unavailable");
    assert!(warnings[1].as_str().unwrap().starts_with("waiting for the database"), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_database_that_refuses_connections_is_waited_for() {
    starts_before_its_database(Proxy::cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_database_whose_machine_has_vanished_is_waited_for() {
    starts_before_its_database(Proxy::black_hole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_server_that_waits_stops_when_told_to() {
    let database = TestDatabase::postgres().await;
    let proxy = Proxy::to(database.url()).await;
    proxy.cut();
    let server = Process::start(&database.behind(&proxy), &[]).await;
    assert_eq!(server.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_database_that_refuses_this_server_is_not_waited_for() {
    let database = TestDatabase::postgres().await;
    let with = |change: fn(&mut url::Url)| {
        let mut url = url::Url::parse(database.url()).unwrap();
        change(&mut url);
        url.to_string()
    };
    for (url, part) in [
        (with(|url| url.set_password(Some("swordfish")).unwrap()), "password authentication failed"),
        (with(|url| url.set_username("nobody-known").unwrap()), "authentication failed"),
        (with(|url| url.set_path("missing")), "does not exist"),
    ] {
        let environment = [("CAUSERIE_AUTH_SECRET", SECRET), ("DATABASE_URL", url.as_str())];
        let ran =
            run(database.directory(), &environment, &["serve", "--listen", "127.0.0.1:0", "--log", "error"])
                .await;
        ran.assert_refused(part);
        assert!(!ran.stderr.contains("swordfish"), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn a_database_that_cannot_do_what_the_address_asks_for_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://ann@{}/chat?sslmode=require", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        // It is asked for TLS, and says that it has none.
        connection.read_exact(&mut [0; 8]).await.unwrap();
        connection.write_all(b"N").await.unwrap();
    });
    let directory = tempfile::tempdir().unwrap();
    let environment = [("CAUSERIE_AUTH_SECRET", SECRET), ("DATABASE_URL", url.as_str())];
    run(directory.path(), &environment, &["serve", "--listen", "127.0.0.1:0"]).await.assert_refused("TLS");
}
