//! Clients that are slow, silent or gone.

use std::time::Duration;

use causerie::http::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::wire::{self, connect};
use super::{FOREVER, Frame, QUERY, Socket, limited, read_until, stream};
use crate::support::TestDatabase;

const SOON: Duration = Duration::from_millis(300);

/// All that comes until the server hangs up.
async fn read_to_end(connection: &mut TcpStream) -> String {
    String::from_utf8_lossy(&wire::read_to_end(connection).await).into_owned()
}

#[tokio::test]
async fn connections_that_send_no_head_are_closed() {
    let server = limited(&TestDatabase::sqlite(), Limits { idle_time: SOON, ..Limits::default() }).await;
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
    let server = limited(&TestDatabase::sqlite(), Limits { body_time: SOON, ..Limits::default() }).await;
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
    let server = limited(&TestDatabase::sqlite(), Limits { body_time: SOON, ..Limits::default() }).await;
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
        limited(&TestDatabase::sqlite(), Limits { socket_idle_time: SOON, ..Limits::default() }).await;
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
