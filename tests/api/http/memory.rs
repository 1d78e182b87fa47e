//! How much text may be in hand.

use causerie::admission::Limits;
use causerie::http::Options;
use futures_util::future::select_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{PATIENCE, Socket, limited, read_until, stream};
use crate::support::{Client, ScriptedAssistant, Settings, TestDatabase, TestServer, on_both_databases};

/// What a row counts beside its texts.
const ROW: usize = 512;

/// How long the texts of these tests are.
const TEXT: usize = 30_000;

/// A conversation of one message and its reply, `You said: …`, without what the server adds.
async fn start(client: &Client) -> String {
    client.start(&"x".repeat(TEXT)).await
}

fn query(conversation: &str, times: usize) -> String {
    let aliases: String = (0..times).fold(String::new(), |text, index| format!("{text} a{index}: content"));
    format!("{{ messages(conversationId: \"{conversation}\", first: 1) {{ nodes {{ {aliases} }} }} }}")
}

/// What the query above takes: the message's row, without the metadata, which nobody asks for, and the texts.
fn bytes(times: usize) -> usize {
    ROW + TEXT + times * TEXT
}

on_both_databases! {
    async fn an_answer_may_have_so_much_text_on_every_transport(database) {
        let probe = limited(&database, Limits::default()).await;
        let ann = probe.user("ann");
        let conversation = start(&ann).await;
        for (spare, fits) in [(0, true), (1, false)] {
            let answer_bytes = bytes(10) - spare;
            let server = limited(&database, Limits { answer_bytes, ..Limits::default() }).await;
            let ann = server.user("ann");
            let query = query(&conversation, 10);

            let answer = ann.post("/graphql").json(&json!({ "query": query })).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            check(&answer.json().await.unwrap(), fits);
            let url = format!("/graphql?query={}", url::form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>());
            check(&ann.get(&url).send().await.unwrap().json().await.unwrap(), fits);
            let mut events = stream(&ann, &query).await;
            let text = read_until(&mut events, "event: complete").await;
            let data = text.lines().find_map(|line| line.strip_prefix("data: {")).unwrap();
            check(&serde_json::from_str(&format!("{{{data}")).unwrap(), fits);
            let mut socket = Socket::signed_in(&ann).await;
            for id in ["1", "2"] {
                let messages = socket.run(id, &query).await;
                assert_eq!(messages[0]["type"], "next", "{messages:?}");
                check(&messages[0]["payload"], fits);
            }
        }
    }

    async fn rows_are_not_read_beyond_what_may_be_answered(database) {
        let server = limited(&database, Limits { answer_bytes: 100_000, ..Limits::default() }).await;
        let ann = server.user("ann");
        for _ in 0..2 {
            start(&ann).await;
        }
        // Nothing of the texts is asked for, and yet they are read where the library executes the query.
        let query = |count: usize, condition: &str| {
            format!("{{ conversations(first: {count}) {{ nodes {{ messages {{ nodes {{ id {condition} }} }} }} }} }}")
        };
        let condition = "@include(if: true)";
        for (count, condition) in [(1, condition), (2, "")] {
            let data = ann.data(&query(count, condition), json!({})).await;
            assert_eq!(data["conversations"]["nodes"][0]["messages"]["nodes"].as_array().unwrap().len(), 2);
        }
        assert_eq!(ann.code(&query(2, condition), json!({})).await, "ANSWER_TOO_LARGE");
    }
}

fn check(answer: &Value, fits: bool) {
    if fits {
        assert_eq!(
            answer["data"]["messages"]["nodes"][0]["a9"].as_str().map(str::len),
            Some(TEXT),
            "{answer}"
        );
    } else {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "ANSWER_TOO_LARGE", "{answer}");
        assert_eq!(answer["data"], Value::Null);
    }
}

/// A client that sends a request, reads the head of its answer, and then nothing.
async fn sluggard(client: &Client, query: &str) -> TcpStream {
    sluggard_at(client, "/graphql", &json!({ "query": query })).await
}

async fn sluggard_at(client: &Client, path: &str, body: &Value) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = client.url().trim_start_matches("http://").parse().unwrap();
    let mut connection = socket.connect(address).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\n\
         content-length: {}\r\n\r\n{body}",
        client.token().unwrap(),
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    connection.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    connection
}

/// A server with room for two answers of 12 MB to one user, more than the system's buffers take.
async fn narrow(limits: Limits) -> (TestServer, String) {
    const MEGABYTE: usize = 1024 * 1024;
    let limits = Limits { memory_bytes: 4 * 30 * MEGABYTE, answer_bytes: 16 * MEGABYTE, ..limits };
    let server = limited(&TestDatabase::sqlite(), limits).await;
    let conversation = server.user("ann").start(&"\u{1d11e}".repeat(TEXT)).await;
    (server, query(&conversation, 99))
}

#[tokio::test]
async fn answers_that_nobody_reads_count_until_they_are_read_or_given_up() {
    let (server, query) = narrow(Limits::default()).await;
    let ann = server.user("ann");
    let mut first = sluggard(&ann, &query).await;
    let second = sluggard(&ann, &query).await;
    let refused = ann.run(&query, json!({})).await;
    assert_eq!(refused.body["errors"][0]["extensions"], json!({ "code": "RATE_LIMITED", "retryAfter": 1 }));
    // What is small is answered all the same, and so are others.
    assert_eq!(ann.data("{ viewer { id } }", json!({})).await["viewer"]["id"], "ann");
    let bob = server.user("bob");
    let bobs = super::memory::query(&bob.start(&"\u{1d11e}".repeat(TEXT)).await, 99);
    bob.data(&bobs, json!({})).await;

    drop(second);
    answered(&ann, &query).await;
    let second = sluggard(&ann, &query).await;
    let mut rest = vec![0; 11 * 1024 * 1024];
    timeout(PATIENCE, first.read_exact(&mut rest)).await.unwrap().unwrap();
    answered(&ann, &query).await;
    drop(second);
}

#[tokio::test]
async fn who_reads_nothing_is_cut_off() {
    let write_timeout = std::time::Duration::from_millis(200);
    let (server, query) = narrow(Limits { write_timeout, user_requests: 1, ..Limits::default() }).await;
    let ann = server.user("ann");
    let mut connection = sluggard(&ann, &query).await;
    // Until then its request is in hand.
    answered(&ann, "{ viewer { id } }").await;
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, connection.read_to_end(&mut rest)).await.unwrap();
    assert!(read.is_err() || rest.len() < 11 * 1024 * 1024, "the whole answer came: {}", rest.len());
}

/// Asks until it is answered: a server notices only in a while that a client has gone.
async fn answered(client: &Client, query: &str) {
    let answered = async {
        while client
            .post("/graphql")
            .json(&json!({ "query": query }))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("RATE_LIMITED")
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, answered).await.expect("it is never let go");
}

#[tokio::test]
async fn bodies_that_arrive_count_for_their_address() {
    const HALF: usize = 512 * 1024;
    let limits = Limits { memory_bytes: 4 * 2 * HALF, ..Limits::default() };
    let server = limited(&TestDatabase::sqlite(), limits).await;
    let begin = async || {
        let address = server.url().trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                    content-length: 1000000\r\n\r\n";
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&vec![b' '; HALF]).await.unwrap();
        connection
    };
    let mut waiting = [begin().await, begin().await, begin().await];
    // There is room for two of them.
    let answers = waiting.iter_mut().map(|connection| {
        Box::pin(async move {
            let mut head = vec![0; 1024];
            let length = connection.read(&mut head).await.unwrap();
            String::from_utf8_lossy(&head[..length]).into_owned()
        })
    });
    let (refused, ..) = timeout(PATIENCE, select_all(answers)).await.expect("nobody is refused");
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 1\r\n"), "{refused}");
    drop(waiting);
    let large = json!({ "query": "{ __typename }", "padding": "x".repeat(HALF) });
    let post = async || server.anonymous().post("/graphql").json(&large).send().await.unwrap();
    let answered = async { while post().await.status() != 200 {} };
    timeout(PATIENCE, answered).await.expect("it is never let go");
}

#[tokio::test]
async fn answers_of_rest_are_bounded_too() {
    let limits = Limits { answer_bytes: 50_000, ..Limits::default() };
    let server = limited(&TestDatabase::sqlite(), limits).await;
    let ann = server.user("ann");
    for (length, status, code) in [(20_000, 200, None), (30_000, 413, Some("ANSWER_TOO_LARGE"))] {
        let message = json!({ "message": "x".repeat(length) });
        let response = ann.post("/api/ann/chat").json(&message).send().await.unwrap();
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"].as_str(), code);
    }
}

#[tokio::test]
async fn lists_of_rest_are_bounded_too() {
    let limits = Limits { answer_bytes: 50_000, ..Limits::default() };
    let server = limited(&TestDatabase::sqlite(), limits).await;
    let ann = server.user("ann");
    let message = json!({ "message": "x".repeat(20_000) });
    let sent: Value = ann.post("/api/ann/chat").json(&message).send().await.unwrap().json().await.unwrap();
    let id = sent["conversation_id"].as_str().unwrap();
    for (limit, status) in [(1, 200), (2, 413)] {
        let path = format!("/api/ann/conversations/{id}/messages?limit={limit}");
        let response = ann.get(&path).send().await.unwrap();
        assert_eq!(response.status(), status, "{limit}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"] == "ANSWER_TOO_LARGE", status == 413);
    }
}

#[tokio::test]
async fn a_body_of_rest_is_held_no_longer_than_it_is_read() {
    const LENGTH: usize = 200 * 1024;
    // There is room for one such body of an address.
    let limits = Limits { memory_bytes: 1024 * 1024, ..Limits::default() };
    let (assistant, script) = ScriptedAssistant::new();
    let http = Options { limits: Limits { user_rate: 0, address_rate: 0, ..limits }, ..Options::default() };
    let settings = Settings { assistant, http, message_chars: 2 * LENGTH, ..Settings::default() };
    let server = TestServer::with(&TestDatabase::sqlite(), settings).await;
    let ask = |user: &'static str| {
        let request = server.user(user).post(&format!("/api/{user}/chat"));
        tokio::spawn(request.json(&json!({ "message": "x".repeat(LENGTH) })).send())
    };
    let (mut asked, mut attempts) = (Vec::new(), Vec::new());
    for user in ["ann", "bob", "eve"] {
        asked.push(ask(user));
        // Its message is stored, and its reply is awaited.
        let attempt = timeout(PATIENCE, script.next()).await;
        attempts.push(attempt.unwrap_or_else(|_| panic!("{user} waits for the room that others hold")));
    }
    for attempt in attempts {
        attempt.finish();
    }
    for answer in asked {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_rest_count_until_they_are_read() {
    const MEGABYTE: usize = 1024 * 1024;
    let (assistant, script) = ScriptedAssistant::new();
    let limits = Limits { memory_bytes: 4 * 20 * MEGABYTE, answer_bytes: 16 * MEGABYTE, ..Limits::default() };
    let http = Options { limits, ..Options::default() };
    let settings = Settings { assistant, http, ..Settings::default() };
    let server = TestServer::with(&TestDatabase::sqlite(), settings).await;
    let ann = server.user("ann");
    // Each of them is six bytes in JSON.
    let speak = async || {
        let attempt = script.next().await;
        attempt.say(&"\u{1}".repeat(1_900_000));
        attempt.finish();
    };
    let hello = json!({ "message": "hello" });
    let ((), connection) = tokio::join!(speak(), sluggard_at(&ann, "/api/ann/chat", &hello));
    let ask = async || ann.post("/api/ann/chat").json(&hello).send().await.unwrap();
    let ((), refused) = tokio::join!(speak(), ask());
    assert_eq!(refused.status(), 429);
    drop(connection);
    let answered = async {
        loop {
            let ((), answer) = tokio::join!(speak(), ask());
            if answer.status() == 200 {
                return answer.text().await.unwrap();
            }
        }
    };
    let answer = timeout(PATIENCE, answered).await.expect("it is never let go");
    assert!(answer.len() > 11_000_000);
}
