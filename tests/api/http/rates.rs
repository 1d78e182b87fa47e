//! How often users and addresses may come.

use causerie::http::{Limits, Options};
use serde_json::json;

use super::{QUERY, Socket, code, limited, stream, with_options};
use crate::support::{TestDatabase, TestServer};

/// One a second for a user, ten at once.
fn per_user() -> Limits {
    Limits { user_rate: 1, ..Limits::default() }
}

/// One a second for an address, ten at once.
fn per_address() -> Limits {
    Limits { address_rate: 1, ..Limits::default() }
}

async fn send(server: &TestServer, user: &str, forwarded: &str) -> reqwest::Response {
    let request = server.user(user).post("/graphql").header("x-forwarded-for", forwarded);
    request.json(&json!({ "query": QUERY })).send().await.unwrap()
}

/// Sends until it is refused, which the first ten must not be: slow machines send few a second.
async fn exhaust(server: &TestServer, user: &str, forwarded: &str, first: bool) {
    for number in 0..100 {
        let response = send(server, user, forwarded).await;
        if response.status() != 200 {
            if first {
                assert!(number >= 10, "the {number}. was refused");
            }
            return assert_refused(response).await;
        }
    }
    panic!("nothing is refused");
}

async fn assert_refused(response: reqwest::Response) {
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&seconds));
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"], json!({ "code": "RATE_LIMITED", "retryAfter": seconds }));
    assert_eq!(body.get("data"), None);
}

#[tokio::test]
async fn a_user_over_http() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    exhaust(&server, "ann", "192.0.2.1", true).await;
    assert_eq!(send(&server, "bob", "192.0.2.1").await.status(), 200, "others are not held up");
    exhaust(&server, "ann", "192.0.2.1", false).await;
    assert_refused(stream(&server.user("ann"), QUERY).await).await;
    exhaust(&server, "ann", "192.0.2.1", false).await;
    let chat = server.user("ann").post("/api/ann/chat").json(&json!({ "message": "x" }));
    assert_refused(chat.send().await.unwrap()).await;
}

#[tokio::test]
async fn a_user_on_sockets() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    let mut sockets =
        [Socket::signed_in(&server.user("ann")).await, Socket::signed_in(&server.user("ann")).await];
    let mut number = 0;
    let refused = loop {
        let messages = sockets[number % 2].run("1", QUERY).await;
        if messages.len() == 1 {
            break messages;
        }
        number += 1;
        assert!(number < 100, "nothing is refused");
    };
    assert!(number >= 10, "the {number}. was refused");
    assert_eq!(code(&refused[0]), "RATE_LIMITED");
    assert!(refused[0]["payload"][0]["extensions"]["retryAfter"].is_u64());
    let mut other = Socket::signed_in(&server.user("bob")).await;
    assert_eq!(other.run("1", QUERY).await.len(), 2);
}

#[tokio::test]
async fn an_address_whoever_comes_from_it() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    exhaust(&server, "ann", "192.0.2.1", true).await;
    assert_refused(send(&server, "bob", "192.0.2.2").await).await;
    let health = server.anonymous().get("/healthz").send().await.unwrap();
    assert_eq!(health.status(), 200, "probes are not counted");
}

#[tokio::test]
async fn an_address_that_a_trusted_proxy_tells() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let options = Options { limits: per_address(), trusted_proxies, ..Options::default() };
    let server = with_options(&TestDatabase::sqlite(), options).await;
    exhaust(&server, "ann", "192.0.2.1", true).await;
    assert_refused(send(&server, "bob", "192.0.2.1").await).await;
    exhaust(&server, "ann", "192.0.2.1", false).await;
    assert_refused(send(&server, "bob", "198.51.100.1, 192.0.2.1").await).await;
    assert_eq!(send(&server, "ann", "192.0.2.2").await.status(), 200);
}

#[tokio::test]
async fn nobody_on_sockets() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    let mut socket = Socket::open(server.url()).await;
    socket.init(None).await;
    socket.message().await;
    let mut number = 1; // the handshake
    let refused = loop {
        let messages = socket.run("1", "{ __typename }").await;
        if messages.len() == 1 {
            break messages;
        }
        number += 1;
        assert!(number < 100, "nothing is refused");
    };
    assert!(number >= 10, "the {number}. was refused");
    assert_eq!(code(&refused[0]), "RATE_LIMITED");
}
