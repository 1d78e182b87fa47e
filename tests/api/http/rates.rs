//! How often users and addresses may come.

use std::sync::atomic::{AtomicUsize, Ordering};

use causerie::admission::Limits;
use causerie::http::Options;
use futures_util::future::join_all;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::wire::exchange;
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

/// How many are sent at once: three times as many as may be.
const MANY: usize = 30;

/// How many bytes count for three more.
const LONG: usize = 200 * 1024;

fn query(server: &TestServer, user: &str, forwarded: &str) -> RequestBuilder {
    let request = server.user(user).post("/graphql").header("x-forwarded-for", forwarded.as_bytes());
    request.json(&json!({ "query": QUERY }))
}

/// Sends a request many times at once, checks how some are refused, and returns how many were not.
async fn flood(request: impl Fn() -> RequestBuilder) -> usize {
    let answers = join_all((0..MANY).map(|_| async { request().send().await.unwrap() })).await;
    let mut passed = 0;
    for response in answers {
        if response.status() == 200 {
            passed += 1;
            continue;
        }
        assert_eq!(response.status(), 429);
        let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(seconds >= 1);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"], json!({ "code": "RATE_LIMITED", "retryAfter": seconds }));
        assert!(body.get("detail").is_none_or(|detail| *detail == body["errors"][0]["message"]));
        assert_eq!(body.get("data"), None);
    }
    assert!(passed < MANY, "nothing is refused");
    passed
}

async fn passes(request: RequestBuilder) -> bool {
    request.send().await.unwrap().status() == 200
}

#[tokio::test]
async fn a_user_over_http() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    let by_get = || server.user("bob").get("/graphql?query={viewer{id}}");
    let events = || query(&server, "eve", "192.0.2.1").header("accept", "text/event-stream");
    let chat = || server.user("zoe").post("/api/zoe/chat").json(&json!({ "message": "x" }));
    assert!(flood(|| query(&server, "ann", "192.0.2.1")).await >= 10);
    // Others are not held up, whichever way they come.
    assert!(flood(by_get).await >= 10);
    assert!(flood(events).await >= 10);
    assert!(flood(chat).await >= 10);
    assert!(flood(|| server.user("kim").get("/api/kim/conversations")).await >= 10);
    let events = || server.user("lee").post("/api/lee/chat").header("accept", "text/event-stream");
    assert!(flood(|| events().json(&json!({ "message": "x" }))).await >= 10);
    // It is one rate for all ways.
    flood(|| server.user("ann").get("/graphql?query={viewer{id}}")).await;
    let mut socket = Socket::signed_in(&server.user("ann")).await;
    flood_socket(&mut socket, QUERY).await;
}

#[tokio::test]
async fn each_further_mutation_of_a_request_counts() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    let ask = |user: &str, keyword: &str, field: &str| {
        let fields: Vec<_> = (0..6).map(|alias| format!("a{alias}: {field}")).collect();
        let query = format!("{keyword} {{ {} }}", fields.join(" "));
        server.user(user).post("/graphql").json(&json!({ "query": query }))
    };
    let create = || ask("ann", "mutation", "createConversation(input: {}) { conversation { id } }");
    assert!(passes(create()).await);
    assert_eq!(create().send().await.unwrap().status(), 429, "six and six are more than ten");
    for _ in 0..5 {
        assert!(
            passes(ask("bob", "query", "viewer { id }")).await,
            "fields that change nothing count together"
        );
    }
}

#[tokio::test]
async fn a_user_on_sockets() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    let mut sockets =
        [Socket::signed_in(&server.user("ann")).await, Socket::signed_in(&server.user("ann")).await];
    let mut passed = 0;
    for socket in &mut sockets {
        passed += flood_socket(socket, QUERY).await;
    }
    assert!((10..MANY * 2).contains(&passed), "{passed}");
    let mut other = Socket::signed_in(&server.user("bob")).await;
    assert_eq!(other.run("1", QUERY).await.len(), 2);
}

/// Runs an operation many times at once, checks how some are refused, and returns how many were not.
async fn flood_socket(socket: &mut Socket, query: &str) -> usize {
    for id in 0..MANY {
        socket.subscribe(&id.to_string(), query).await;
    }
    let (mut passed, mut refused) = (0, 0);
    while passed + refused < MANY {
        let message = socket.message().await;
        match message["type"].as_str() {
            Some("error") => {
                assert_eq!(code(&message), "RATE_LIMITED");
                assert!(message["payload"][0]["extensions"]["retryAfter"].is_u64());
                refused += 1;
            }
            Some("complete") => passed += 1,
            _ => {}
        }
    }
    assert!(refused > 0, "nothing is refused");
    passed
}

#[tokio::test]
async fn an_address_whoever_comes_from_it() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    let number = AtomicUsize::new(0);
    let user = || format!("user {}", number.fetch_add(1, Ordering::Relaxed));
    assert!(
        flood(|| query(&server, &user(), &format!("192.0.2.{}", number.load(Ordering::Relaxed)))).await >= 10
    );
    assert!(passes(server.anonymous().get("/healthz")).await, "probes are not counted");
}

#[tokio::test]
async fn an_address_that_a_trusted_proxy_tells() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let options = Options { limits: per_address(), trusted_proxies, ..Options::default() };
    let server = with_options(&TestDatabase::sqlite(), options).await;
    assert!(flood(|| query(&server, "ann", "192.0.2.1")).await >= 10);
    flood(|| query(&server, "bob", "198.51.100.1, 192.0.2.1")).await;
    assert!(passes(query(&server, "ann", "192.0.2.2")).await);
}

#[tokio::test]
async fn an_address_beside_what_cannot_be_read() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let options = Options { limits: per_address(), trusted_proxies, ..Options::default() };
    let server = with_options(&TestDatabase::sqlite(), options).await;
    assert!(flood(|| query(&server, "ann", "é, 192.0.2.1")).await >= 10);
    assert!(passes(query(&server, "ann", "é, 192.0.2.2")).await, "it is another address");
    assert!(passes(query(&server, "ann", "192.0.2.1, é")).await, "whose word comes last is the proxy itself");
}

#[tokio::test]
async fn nobody_on_sockets() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    let mut socket = Socket::open(server.url()).await;
    socket.init(None).await;
    socket.message().await;
    let passed = flood_socket(&mut socket, "{ __typename }").await;
    assert!(passed >= 8, "the handshake and the introduction were the first of ten");
}

#[tokio::test]
async fn a_user_who_does_not_stop_talking_on_a_socket() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    for (number, message) in [
        json!({ "type": "pong" }),
        json!({ "type": "ping" }),
        json!({ "type": "complete", "id": "1" }),
        json!({ "type": "ping", "payload": { "authorization": "Bearer x" } }),
    ]
    .into_iter()
    .enumerate()
    {
        let user = server.user(&format!("user {number}"));
        let mut message = message;
        if message["payload"].is_object() {
            message["payload"]["authorization"] = format!("Bearer {}", user.token().unwrap()).into();
        }
        let mut socket = Socket::signed_in(&user).await;
        for _ in 0..5 {
            socket.send(message.clone()).await;
        }
        assert_eq!(socket.run("1", QUERY).await.len(), 2, "{message}: it has not talked too much yet");
        for _ in 0..MANY {
            socket.send(message.clone()).await;
        }
        assert_eq!(socket.closed().await, 1013, "{message}");
    }
}

#[tokio::test]
async fn frames_without_a_message_on_a_socket() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    let mut socket = Socket::signed_in(&server.user("ann")).await;
    for _ in 0..MANY {
        socket.ping().await;
    }
    assert_eq!(socket.closed().await, 1013);
}

#[tokio::test]
async fn nobody_who_does_not_stop_talking_on_a_socket() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    let mut socket = Socket::open(server.url()).await;
    for _ in 0..MANY {
        socket.send(json!({ "type": "ping" })).await;
    }
    assert_eq!(socket.closed().await, 1013);
}

#[tokio::test]
async fn long_messages_on_a_socket_count_for_several() {
    let server = limited(&TestDatabase::sqlite(), per_user()).await;
    let mut socket = Socket::signed_in(&server.user("ann")).await;
    let long = json!({ "type": "pong", "payload": { "": "x".repeat(LONG) } });
    for _ in 0..4 {
        socket.send(long.clone()).await;
    }
    assert_eq!(socket.closed().await, 1013);

    let mut socket = Socket::signed_in(&server.user("bob")).await;
    let query = format!("{{ __typename }} # {}", "x".repeat(LONG));
    let mut refused = 0;
    for id in ["1", "2", "3", "4"] {
        let answer = socket.run(id, &query).await;
        refused += usize::from(code(&answer[0]) == "RATE_LIMITED");
    }
    assert!((1..4).contains(&refused), "{refused} of 4");
}

#[tokio::test]
async fn long_bodies_count_for_several() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    let ann = server.user("ann");
    let body = json!({ "query": QUERY, "x": "x".repeat(LONG) }).to_string();
    let send = || ann.post("/graphql").header("content-type", "application/json");
    let mut refused = 0;
    for _ in 0..4 {
        let response = send().body(body.clone()).send().await.unwrap();
        if response.status() == 429 {
            refused += 1;
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        }
    }
    assert!((1..4).contains(&refused), "{refused} of 4");
}

#[tokio::test]
async fn long_bodies_in_pieces_count_for_several() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    let chunk = format!("{LONG:x}\r\n{}\r\n", " ".repeat(LONG));
    let head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    let answer = exchange(server.url(), format!("{head}{}", chunk.repeat(5))).await;
    answer.refused(429, "RATE_LIMITED");
}

#[tokio::test]
async fn a_body_that_counts_for_more_than_may_come_at_once() {
    let server = limited(&TestDatabase::sqlite(), per_address()).await;
    let body = json!({ "query": QUERY, "x": "x".repeat(LONG * 5) });
    assert!(passes(server.user("ann").post("/graphql").json(&body)).await, "nobody has come before it");
}

#[tokio::test]
async fn an_expensive_query_counts_for_several() {
    // Ten at once, of which a query with five searches takes six.
    let database = TestDatabase::sqlite();
    let server = limited(&database, per_user()).await;
    let searches = |count: usize| {
        let aliases = (0..count).fold(String::new(), |text, index| {
            format!("{text} s{index}: search(query: \"x\") {{ __typename }}")
        });
        json!({ "query": format!("{{ {aliases} }}") })
    };
    let post =
        async |user: &str, body: &Value| server.user(user).post("/graphql").json(body).send().await.unwrap();
    assert_eq!(post("ann", &searches(5)).await.status(), 200);
    let refused = post("ann", &searches(9)).await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3..=9).contains(&seconds), "{seconds}");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"], json!({ "code": "RATE_LIMITED", "retryAfter": seconds }));
    assert_eq!(body.get("data"), None);
    let long = json!({ "query": format!("{{ __typename }} # {}", "x".repeat(80_000)) });
    assert_eq!(post("ann", &long).await.status(), 429, "each 8,000 bytes count");
    let words = format!("{{ search(query: \"{}\") {{ __typename }} }}", "word ".repeat(40));
    assert_eq!(post("ann", &json!({ "query": words })).await.status(), 429, "each word counts");
    assert_eq!(post("bob", &searches(9)).await.status(), 200, "others are not held up");

    let mut socket = Socket::signed_in(&server.user("eve")).await;
    let text = |count| searches(count)["query"].as_str().unwrap().to_owned();
    assert_eq!(socket.run("1", &text(5)).await.len(), 2);
    assert_eq!(code(&socket.run("2", &text(9)).await[0]), "RATE_LIMITED");
    let events = stream(&server.user("eve"), &text(9)).await.text().await.unwrap();
    assert!(events.contains("RATE_LIMITED"), "{events}");
}
