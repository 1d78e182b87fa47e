//! Answers that are there before the body of the request is: who sends all of it first reads them all the same.

use axum::http::Request;
use bytes::Bytes;
use causerie::admission::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::wire::{Answer, answer, connect, read_to_end};
use super::{PATIENCE, limited};
use crate::support::{TestDatabase, TestServer};

const BODY: usize = 1_500_000;

async fn server() -> TestServer {
    let limits = Limits { user_rate: 0, address_rate: 0, ..Limits::default() };
    limited(&TestDatabase::sqlite(), limits).await
}

/// Heads of requests that are refused by them alone, and the status of the refusal.
fn heads(token: &str) -> [(u16, String); 6] {
    let json = "Host: x\r\nContent-Type: application/json";
    [
        (413, format!("POST /graphql HTTP/1.1\r\n{json}")),
        (413, format!("POST /api/ann/chat HTTP/1.1\r\n{json}\r\nAuthorization: Bearer {token}")),
        (415, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain".to_owned()),
        (401, format!("POST /api/ann/chat HTTP/1.1\r\n{json}")),
        (404, format!("POST /nowhere HTTP/1.1\r\n{json}")),
        (400, format!("POST /graphql HTTP/1.1\r\n{json}\r\nHost: y")),
    ]
}

/// Sends a whole request before it reads anything; all but the bytes `before` when the answer is already there.
async fn send_whole(server: &TestServer, head: &str, chunked: bool, before: usize) -> (TcpStream, Answer) {
    let mut connection = connect(server.url()).await;
    let mut request = Vec::new();
    if chunked {
        connection
            .write_all(format!("{head}\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes())
            .await
            .unwrap();
        for _ in 0..BODY / 50_000 {
            request.extend_from_slice(format!("{:x}\r\n{}\r\n", 50_000, " ".repeat(50_000)).as_bytes());
        }
        request.extend_from_slice(b"0\r\n\r\n");
    } else {
        connection.write_all(format!("{head}\r\nContent-Length: {BODY}\r\n\r\n").as_bytes()).await.unwrap();
        request.resize(BODY, b' ');
    }
    let (start, rest) = request.split_at(before);
    connection.write_all(start).await.expect("all of it is taken");
    connection.readable().await.unwrap();
    for piece in rest.chunks(50_000) {
        connection.write_all(piece).await.expect("all of it is taken");
    }
    let answer = answer(&mut connection).await;
    (connection, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_answers_are_read_by_who_sends_the_whole_body_first() {
    let server = server().await;
    let token = server.user("ann").token().unwrap().to_owned();
    for round in 0..34 {
        for (status, head) in heads(&token) {
            let chunked = round % 2 == 1;
            // Without a length it is too long only when so much has come.
            let before = if chunked && status == 413 { 1_100_000 } else { 0 };
            let (mut connection, answer) = send_whole(&server, &head, chunked, before).await;
            assert_eq!(answer.status, status, "{head}: {answer:?}");
            assert!(answer.body["errors"][0]["message"].is_string(), "{answer:?}");
            assert_eq!(answer.header("connection"), Some("close"), "the client is told not to go on");
            assert!(read_to_end(&mut connection).await.is_empty());
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered() {
    let server = server().await;
    for _ in 0..20 {
        let mut connection = connect(server.url()).await;
        let head = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1_000_000));
        connection.write_all(head.as_bytes()).await.expect("all of it is taken");
        assert_eq!(answer(&mut connection).await.status, 431);
    }
}

#[tokio::test]
async fn a_small_rest_does_not_end_the_connection() {
    let server = server().await;
    let mut connection = connect(server.url()).await;
    for _ in 0..3 {
        let request = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n";
        connection.write_all(&[&request[..], &[b' '; 100]].concat()).await.unwrap();
        assert_eq!(answer(&mut connection).await.status, 404);
    }
}

#[tokio::test]
async fn what_is_discarded_is_bounded() {
    let limits = Limits { address_connections: 1, ..Limits::default() };
    let server = limited(&TestDatabase::sqlite(), limits).await;
    let mut connection = connect(server.url()).await;
    let head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut connection).await.status, 415);
    // It takes its place as long as it goes on, and it does not go on for long.
    let other = read_to_end(&mut connect(server.url()).await).await;
    assert!(other.is_empty(), "{other:?}");
    let mut sent = 0;
    while connection.write_all(&[b' '; 8_192]).await.is_ok() {
        sent += 8_192;
        assert!(sent < 64 * 1024 * 1024, "there is no end");
    }

    // Who sends nothing more is let go in a few seconds.
    let begun = Instant::now();
    let opened = async {
        loop {
            let mut connection = connect(server.url()).await;
            let _ = connection.write_all(head.as_bytes()).await;
            let mut byte = [0];
            if tokio::io::AsyncReadExt::read_exact(&mut connection, &mut byte).await.is_ok() {
                return connection;
            }
        }
    };
    let first = timeout(PATIENCE, opened).await.expect("its place is never free");
    let again = async {
        loop {
            let mut connection = connect(server.url()).await;
            let _ = connection.write_all(head.as_bytes()).await;
            let mut byte = [0];
            if tokio::io::AsyncReadExt::read_exact(&mut connection, &mut byte).await.is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("its place is never free");
    assert!(begun.elapsed().as_secs() < 10);
    drop(first);
}

#[tokio::test]
async fn early_answers_of_http2_end_their_stream_and_no_other() {
    let server = server().await;
    let (sender, connection) = h2::client::handshake(connect(server.url()).await).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    for _ in 0..30 {
        let head = Request::post(format!("{}/graphql", server.url())).header("content-type", "text/plain");
        let (response, mut upload) = sender.send_request(head.body(()).unwrap(), false).unwrap();
        let mut left = BODY;
        upload.reserve_capacity(left);
        // As much as it takes: it may say at any time that it wants no more.
        while left > 0
            && let Some(Ok(room)) = std::future::poll_fn(|context| upload.poll_capacity(context)).await
        {
            let piece = room.min(left);
            left -= piece;
            if upload.send_data(Bytes::from(vec![b' '; piece]), left == 0).is_err() {
                break;
            }
        }
        let mut response = timeout(PATIENCE, response).await.expect("an answer").unwrap();
        assert_eq!(response.status(), 415);
        let body = timeout(PATIENCE, response.body_mut().data()).await.expect("its body").unwrap().unwrap();
        assert!(body.starts_with(b"{\"errors\""));
        sender = sender.ready().await.unwrap();
    }
}
