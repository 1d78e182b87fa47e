//! Clients that are slow, silent or gone.

use std::time::Duration;

use axum::http::Request;
use bytes::Bytes;
use causerie::admission::Limits;
use causerie::http::Options;
use h2::client::SendRequest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::wire::{self, connect};
use super::{FOREVER, Frame, PATIENCE, QUERY, Socket, limited, read_until, stream, with_options};
use crate::support::{Client, TestDatabase, TestServer};

const SOON: Duration = Duration::from_millis(300);

/// All that comes until the server hangs up.
async fn read_to_end(connection: &mut TcpStream) -> String {
    String::from_utf8_lossy(&wire::read_to_end(connection).await).into_owned()
}

#[tokio::test]
async fn connections_that_send_no_head_are_closed() {
    let server = limited(&TestDatabase::sqlite(), Limits { idle_timeout: SOON, ..Limits::default() }).await;
    for start in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /healthz HT",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n",
    ] {
        let mut connection = connect(server.url()).await;
        connection.write_all(start.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut connection).await;
        assert!(!answer.contains("200 OK"), "{start:?}: {answer}");
    }
    let mut kept_alive = connect(server.url()).await;
    kept_alive.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read_to_end(&mut kept_alive).await.contains("alive"));
}

#[tokio::test]
async fn bodies_must_come_in_time() {
    let server = limited(&TestDatabase::sqlite(), Limits { body_timeout: SOON, ..Limits::default() }).await;
    for path in ["/graphql", "/api/ann/chat"] {
        let mut connection = connect(server.url()).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\
             Authorization: Bearer {}\r\nConnection: close\r\n\r\n{{",
            server.user("ann").token().unwrap()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("\"REQUEST_TIMEOUT\""), "{answer}");
    }
}

#[tokio::test]
async fn sockets_must_introduce_themselves_in_time() {
    let server = limited(&TestDatabase::sqlite(), Limits { init_timeout: SOON, ..Limits::default() }).await;
    let mut socket = Socket::open(server.url()).await;
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.message().await["type"], "pong");
    assert_eq!(socket.closed().await, 4408);
}

#[tokio::test]
async fn silence_is_broken_in_time() {
    let server = limited(&TestDatabase::sqlite(), Limits { keep_alive: SOON, ..Limits::default() }).await;
    let mut socket = Socket::signed_in(&server.user("ann")).await;
    for _ in 0..5 {
        assert_eq!(socket.next_frame().await, Frame::Ping, "a client that answers is kept");
    }
    let mut response = stream(&server.user("ann"), FOREVER).await;
    read_until(&mut response, ":\n\n:\n\n:\n\n").await;
}

#[tokio::test]
async fn sockets_without_a_sign_of_life_are_closed() {
    let server = limited(&TestDatabase::sqlite(), Limits { keep_alive: SOON, ..Limits::default() }).await;
    let mut connection = connect(server.url()).await;
    let handshake = "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    connection.write_all(handshake.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
}

#[tokio::test]
async fn sockets_without_an_operation_are_closed() {
    let server =
        limited(&TestDatabase::sqlite(), Limits { socket_idle_timeout: SOON, ..Limits::default() }).await;
    let mut socket = Socket::signed_in(&server.user("ann")).await;
    assert_eq!(socket.run("1", QUERY).await.len(), 2);
    assert_eq!(socket.closed().await, 1000);

    let mut busy = Socket::signed_in(&server.user("ann")).await;
    busy.subscribe("1", FOREVER).await;
    let silence = timeout(SOON * 3, busy.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    busy.send(json!({ "type": "complete", "id": "1" })).await;
    assert_eq!(busy.closed().await, 1000);
}

#[tokio::test]
async fn connections_above_the_limit_wait() {
    let server = limited(&TestDatabase::sqlite(), Limits { connections: 2, ..Limits::default() }).await;
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    // A socket counts for as long as it is open.
    let socket = Socket::signed_in(&server.user("ann")).await;
    let mut second = connect(server.url()).await;
    second.write_all(request).await.unwrap();
    let mut byte = [0];
    second.read_exact(&mut byte).await.unwrap();
    let mut third = connect(server.url()).await;
    third.write_all(request).await.unwrap();
    assert!(timeout(SOON, third.read_exact(&mut byte)).await.is_err());
    drop(socket);
    timeout(Duration::from_secs(10), third.read_exact(&mut byte)).await.unwrap().unwrap();
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection from this address of this machine's on which the server is asked how it is; whether it answers.
async fn ask_from(server: &TestServer, host: u8) -> (TcpStream, bool) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, host], 0).into()).unwrap();
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let mut connection = socket.connect(address).await.unwrap();
    let mut start = [0; 12];
    let _ = connection.write_all(HEALTH).await;
    let read = timeout(PATIENCE, connection.read_exact(&mut start)).await.expect("an answer, or the end");
    (connection, read.is_ok() && &start == b"HTTP/1.1 200")
}

#[tokio::test]
async fn connections_of_one_address_are_bounded() {
    let limits = Limits { connections: 100, address_connections: 3, ..Limits::default() };
    let server = limited(&TestDatabase::sqlite(), limits.clone()).await;
    // A socket counts for as long as it is open; the silent count as well.
    let socket = Socket::signed_in(&server.user("ann")).await;
    let silent = connect(server.url()).await;
    let (third, answers) = ask_from(&server, 1).await;
    assert!(answers);
    for _ in 0..200 {
        assert!(!ask_from(&server, 1).await.1, "a fourth");
    }
    assert!(ask_from(&server, 2).await.1, "another address has its own");
    drop((socket, silent, third));
    let accepted = async { while !ask_from(&server, 1).await.1 {} };
    timeout(PATIENCE, accepted).await.expect("it never forgets");

    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let options = Options { limits, trusted_proxies, ..Options::default() };
    let server = with_options(&TestDatabase::sqlite(), options).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let (connection, answers) = ask_from(&server, 1).await;
        assert!(answers, "a proxy has many clients");
        held.push(connection);
    }
}

/// How a connection of HTTP/2 ends; the other tasks of the test go on meanwhile.
async fn http2(server: &TestServer) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (sender, connection) = h2::client::handshake(connect(server.url()).await).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn request(client: &Client, query: &str) -> (Request<()>, Bytes) {
    let head = Request::post(format!("{}/graphql", client.url()))
        .header("content-type", "application/json")
        .header("accept", "text/event-stream;q=0.5, application/json")
        .header("authorization", format!("Bearer {}", client.token().unwrap()))
        .body(())
        .unwrap();
    (head, json!({ "query": query }).to_string().into())
}

#[tokio::test]
async fn http2_connections_without_a_request_are_told_to_go() {
    let server = limited(&TestDatabase::sqlite(), Limits { idle_timeout: SOON, ..Limits::default() }).await;
    let (_unused, end) = http2(&server).await;
    timeout(PATIENCE, end).await.expect("it is never closed").unwrap().expect("it is told");

    let (sender, end) = http2(&server).await;
    let mut sender = sender.ready().await.unwrap();
    let get = Request::get(format!("{}/healthz", server.url())).body(()).unwrap();
    let (response, _) = sender.send_request(get, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 200);
    timeout(PATIENCE, end).await.expect("it is never closed").unwrap().expect("it is told");
}

#[tokio::test]
async fn http2_connections_live_as_long_as_a_stream() {
    let server = limited(&TestDatabase::sqlite(), Limits { idle_timeout: SOON, ..Limits::default() }).await;
    let (sender, end) = http2(&server).await;
    let mut sender = sender.ready().await.unwrap();
    let (head, body) = request(&server.user("ann"), FOREVER);
    let (response, mut upload) = sender.send_request(head, false).unwrap();
    upload.send_data(body, true).unwrap();
    let mut events = response.await.unwrap().into_body();
    assert!(events.data().await.unwrap().is_ok());
    let silence = timeout(SOON * 4, events.data()).await;
    assert!(silence.is_err() && !end.is_finished(), "{silence:?}");
    drop((events, upload));
    timeout(PATIENCE, end).await.expect("it is never closed").unwrap().expect("it is told");
}

#[tokio::test]
async fn http2_streams_that_nobody_reads_are_cut_off() {
    let limits = Limits { write_timeout: SOON, user_requests: 1, ..Limits::default() };
    let server = limited(&TestDatabase::sqlite(), limits).await;
    let ann = server.user("ann");
    let conversation = ann.start(&"x".repeat(30_000)).await;
    let contents: String = (0..50).fold(String::new(), |all, number| format!("{all} a{number}: content"));
    let query = format!("{{ messages(conversationId: \"{conversation}\") {{ nodes {{ {contents} }} }} }}");
    let (sender, end) = http2(&server).await;
    let mut sender = sender.ready().await.unwrap();
    let (head, body) = request(&ann, &query);
    let (response, mut upload) = sender.send_request(head, false).unwrap();
    upload.send_data(body, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    // Its window is full, and stays so; pings are answered all the time.
    assert_eq!(ann.code(QUERY, json!({})).await, "RATE_LIMITED");
    let _ = timeout(PATIENCE, end).await.expect("it is never cut").unwrap();
    drop(response);
    let answered = async { while ann.run(QUERY, json!({})).await.status != 200 {} };
    timeout(PATIENCE, answered).await.expect("its request is in hand for ever");
}
