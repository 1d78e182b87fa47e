//! What the head of a request may say, and what the head of an answer does.

use causerie::admission::Limits;
use serde_json::{Value, json};

use super::limited;
use super::wire::{Answer, exchange};
use crate::support::{TestDatabase, TestServer};

const ASK: &str = "/graphql?query=%7B__typename%7D";

async fn server() -> TestServer {
    limited(&TestDatabase::sqlite(), Limits::default()).await
}

/// Sends a GET of `path` with these lines in its head.
async fn get(server: &TestServer, path: &str, lines: &[&str]) -> Answer {
    let request = format!("GET {path} HTTP/1.1");
    let head = [&[request.as_str()], lines, &["", ""]].concat().join("\r\n");
    exchange(server.url(), head).await
}

#[tokio::test]
async fn an_empty_operation_name_in_an_address_is_none() {
    let server = server().await;
    let answer = get(&server, &format!("{ASK}&operationName="), &["Host: x"]).await;
    assert_eq!(answer.body, json!({ "data": { "__typename": "Query" } }));
    // In a body it is a name like any other, which no operation has.
    let body = json!({ "query": "{ __typename }", "operationName": "" });
    let response = server.anonymous().post("/graphql").json(&body).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "OPERATION_RESOLUTION_FAILURE");
}

#[tokio::test]
async fn upgrades_to_what_is_not_known_are_passed_over() {
    let server = server().await;
    for upgrade in ["h2c", "TLS/1.0", "websockets", "h2c, irc/6.9"] {
        let upgrade = format!("Upgrade: {upgrade}");
        let settings = "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA";
        let lines = ["Host: x", "Connection: Upgrade, HTTP2-Settings", settings, &upgrade];
        let answer = get(&server, ASK, &lines).await;
        assert_eq!(answer.status, 200, "{upgrade}: {answer:?}");
        assert_eq!(answer.body, json!({ "data": { "__typename": "Query" } }));
    }
}

#[tokio::test]
async fn a_handshake_of_another_version_is_told_the_right_one() {
    let server = server().await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let handshake = ["Host: x", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", key];
    for version in ["Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 25, 8", "X-No-Version: 13"] {
        let answer = get(&server, "/graphql", &[&handshake[..], &[version]].concat()).await;
        answer.refused(426, "UPGRADE_REQUIRED");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{version}");
        assert_eq!(answer.header("upgrade"), Some("websocket"));
        assert_eq!(answer.header("connection"), Some("upgrade"));
    }
    let keyless = [&handshake[..3], &["Sec-WebSocket-Version: 13"]].concat();
    get(&server, "/graphql", &keyless).await.refused(400, "BAD_REQUEST");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = server().await;
    for path in ["/healthz", ASK, "/nowhere", "/"] {
        get(&server, path, &[]).await.refused(400, "BAD_REQUEST");
        get(&server, path, &["Host: x", "Host: x"]).await.refused(400, "BAD_REQUEST");
        assert_ne!(get(&server, path, &["Host: x"]).await.status, 400);
        assert_ne!(get(&server, path, &["Host:"]).await.status, 400);
        let old = exchange(server.url(), format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        assert_ne!(old.status, 400, "HTTP/1.0 knows no hosts: {old:?}");
        let torn = exchange(server.url(), format!("GET {path} HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n")).await;
        torn.refused(400, "BAD_REQUEST");
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let modern = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let answer = modern.get(format!("{}/healthz", server.url())).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
}

#[tokio::test]
async fn an_address_that_cannot_be_read_leads_nowhere() {
    let server = server().await;
    let token = format!("Authorization: Bearer {}", server.user("ann").token().unwrap());
    for (method, path) in [
        ("POST", "/api/%FF/chat"),
        ("POST", "/api/a%C3/chat"),
        ("GET", "/graphiql/assets/%FF"),
        ("GET", "/graphiql/assets/nope"),
        ("GET", "/%FF"),
    ] {
        for token in ["X-Nobody: 1", &token] {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{token}\r\nContent-Length: 0\r\n\r\n");
            exchange(server.url(), head).await.refused(404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn refusals_are_not_stored() {
    let limits = Limits { user_requests: 0, ..Limits::default() };
    let server = limited(&TestDatabase::sqlite(), limits).await;
    let token = format!("Authorization: Bearer {}", server.user("ann").token().unwrap());
    for (status, path, line) in [
        (404, "/nowhere", "X: 1"),
        (405, "/api/ann/chat", "X: 1"),
        (405, "/graphql?query=mutation%7B__typename%7D", "X: 1"),
        (400, "/graphql", "X: 1"),
        (401, ASK, "Authorization: Bearer x"),
        (406, ASK, "Accept: text/html"),
        (429, ASK, token.as_str()),
    ] {
        let answer = get(&server, path, &["Host: x", line]).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}
