//! Bodies and messages of very many values: in memory, each is many times what it is on the wire.

use causerie::admission::Limits;
use causerie::http::Options;
use serde_json::{Value, json};

use super::{FOREVER, Socket, with_options};
use crate::support::{Process, TestDatabase, TestServer};

/// How many values there may be.
const MANY: usize = 10_000;

/// A request of so many values, counted by what stands before each: a bracket or a comma.
fn request(values: usize) -> Value {
    // Before the list's own items come the object, its second field, the variables and the list.
    json!({ "query": "{ __typename }", "variables": { "a": vec![0; values - 3] } })
}

async fn server() -> TestServer {
    let limits = Limits { user_rate: 0, address_rate: 0, ..Limits::default() };
    with_options(&TestDatabase::sqlite(), Options { limits, ..Options::default() }).await
}

#[tokio::test]
async fn a_body_has_so_many_and_no_more() {
    let server = server().await;
    let ann = server.user("ann");
    let post = async |path: &str, body: &Value| {
        let response = ann.post(path).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    assert_eq!(post("/graphql", &request(MANY)).await.0, 200);
    let message = "The body has more than 10,000 JSON values; send fewer.";
    let refusal = json!({ "errors": [{ "message": message, "extensions": { "code": "BAD_REQUEST" } }] });
    assert_eq!(post("/graphql", &request(MANY + 1)).await, (400, refusal.clone()));
    let objects =
        json!({ "query": "{ __typename }", "variables": { "a": vec![json!({ "": 0 }); MANY / 2] } });
    assert_eq!(post("/graphql", &objects).await.0, 400);
    assert_eq!(post("/api/ann/chat", &request(MANY)).await.0, 422);
    let detailed = json!({ "detail": message, "errors": refusal["errors"] });
    assert_eq!(post("/api/ann/chat", &request(MANY + 1)).await, (400, detailed));
    // What stands in a string is no value.
    let words = json!({ "message": ",[{\\\"".repeat(MANY / 2) });
    assert_eq!(post("/api/ann/chat", &words).await.0, 200);
}

#[tokio::test]
async fn an_address_has_no_more_either() {
    let server = server().await;
    let get = async |values: usize| {
        let variables = format!("{{\"a\":[{}0]}}", "0,".repeat(values - 2));
        let path = format!("/graphql?query=%7B__typename%7D&variables={variables}");
        let response = server.anonymous().get(&path).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(get(MANY).await.0, 200);
    let (status, text) = get(MANY + 1).await;
    assert_eq!(status, 400);
    assert!(text.contains("`variables` has more than 10,000 JSON values; send fewer."), "{text}");
}

#[tokio::test]
async fn a_message_on_a_socket_has_no_more_either() {
    let server = server().await;
    let mut socket = Socket::signed_in(&server.user("ann")).await;
    // Around the request there are one more object and its two other fields.
    for (values, code) in [(MANY, None), (MANY + 1, Some(4400))] {
        socket.send(json!({ "type": "subscribe", "id": "1", "payload": request(values - 3) })).await;
        match code {
            None => assert_eq!(socket.message().await["type"], "next"),
            Some(code) => assert_eq!(socket.closed().await, code),
        }
    }
}

/// How much memory a process has, in bytes, as Linux tells it.
#[cfg(target_os = "linux")]
fn memory(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn variables_that_no_operation_declares_are_not_kept() {
    const BYTES: usize = 900_000;
    const SUBSCRIPTIONS: usize = 60;
    let server = Process::start(&TestDatabase::sqlite(), &[]).await;
    let mut socket = Socket::signed_in(&server.user("ann")).await;
    let payload = json!({ "query": FOREVER, "variables": { "undeclared": "x".repeat(BYTES) } });
    let before = memory(&server);
    for id in 0..SUBSCRIPTIONS {
        socket.send(json!({ "type": "subscribe", "id": id.to_string(), "payload": payload })).await;
    }
    // An answer to what came last: all of them run.
    assert_eq!(socket.run("last", "{ __typename }").await.len(), 2);
    let kept = memory(&server).saturating_sub(before);
    assert!(kept < BYTES * SUBSCRIPTIONS / 3, "{kept} bytes");
}
