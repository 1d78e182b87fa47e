//! Streams over HTTP/1.1 have their connections to themselves.

use causerie::admission::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::wire::{answer, connect, exchange, read_to_end};
use super::{APOLLO, FOREVER, PATIENCE, QUERY, limited};
use crate::support::{TestDatabase, TestServer, on_both_databases};

const EVENTS: &str = "text/event-stream";

/// A request of ann's for a stream.
fn request(server: &TestServer, version: &str, accept: &str, query: &str) -> String {
    let (body, ann) = (json!({ "query": query }).to_string(), server.user("ann"));
    format!(
        "POST /graphql HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {}\r\nAccept: {accept}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        ann.token().unwrap(),
        body.len()
    )
}

/// The head, in lower case, and the body as it came.
fn parts(bytes: &[u8]) -> (String, String) {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// The content of a body in chunks, which has to be whole.
fn content(mut chunks: &str) -> String {
    let mut content = String::new();
    loop {
        let (length, rest) = chunks.split_once("\r\n").unwrap();
        let (chunk, rest) = rest.split_at(usize::from_str_radix(length, 16).unwrap());
        chunks = rest.strip_prefix("\r\n").unwrap();
        content += chunk;
        if length == "0" {
            assert_eq!(chunks, "", "nothing follows the last chunk");
            return content;
        }
    }
}

/// Begins a stream on which nothing comes, and reads its head and first comment.
async fn begin(server: &TestServer) -> TcpStream {
    let mut connection = connect(server.url()).await;
    connection.write_all(request(server, "1.1", EVENTS, FOREVER).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut connection).await.header("connection"), Some("close"));
    read_until(&mut connection, ":\n\n\r\n").await;
    connection
}

async fn read_until(connection: &mut TcpStream, end: &str) {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        text.push(timeout(PATIENCE, connection.read_u8()).await.expect("it comes").unwrap());
    }
}

on_both_databases! {
    async fn a_stream_is_in_chunks_and_ends_with_its_connection(database) {
        let server = TestServer::start(&database).await;
        let data = json!({ "data": { "viewer": { "id": "ann" } } }).to_string();
        let events = format!(":\n\nevent: next\ndata: {data}\n\nevent: complete\ndata: \n\n");
        let mut connection = connect(server.url()).await;
        connection.write_all(request(&server, "1.1", EVENTS, QUERY).as_bytes()).await.unwrap();
        let (head, body) = parts(&read_to_end(&mut connection).await);
        assert!(head.contains("transfer-encoding: chunked") && head.contains("connection: close"), "{head}");
        assert_eq!(content(&body), events);

        let mut connection = connect(server.url()).await;
        connection.write_all(request(&server, "1.1", APOLLO, "subscription { nothing }").as_bytes()).await.unwrap();
        let (head, body) = parts(&read_to_end(&mut connection).await);
        assert!(head.contains("connection: close") && content(&body).ends_with("\r\n--graphql--\r\n"), "{head}");

        // There are no chunks in the version before.
        let mut connection = connect(server.url()).await;
        connection.write_all(request(&server, "1.0", EVENTS, QUERY).as_bytes()).await.unwrap();
        let (head, body) = parts(&read_to_end(&mut connection).await);
        assert!(!head.contains("chunked"), "{head}");
        assert_eq!(body, events);
    }

    async fn what_a_client_sends_during_a_stream_does_no_harm(database) {
        let server = TestServer::start(&database).await;
        let mut connection = begin(&server).await;
        connection.write_all(&vec![b'x'; 100_000]).await.unwrap();
        let ann = server.user("ann");
        ann.data("mutation { createConversation(input: { title: \"a\" }) { conversation { id } } }", json!({})).await;
        read_until(&mut connection, "\"ConversationChanged\"}}}\n\n\r\n").await;
    }
}

#[tokio::test]
async fn a_stream_holds_its_connections_permit_until_its_client_has_gone() {
    let server = limited(&TestDatabase::sqlite(), Limits { connections: 1, ..Limits::default() }).await;
    for sends in [false, true] {
        let mut connection = begin(&server).await;
        let request = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let mut other = Box::pin(exchange(server.url(), request));
        let early = timeout(std::time::Duration::from_millis(200), &mut other).await;
        assert!(early.is_err(), "there is no room for a second connection");
        if sends {
            connection.write_all(b"a").await.unwrap();
        }
        drop(connection);
        let answer = timeout(PATIENCE, other).await.expect("the first one is gone");
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn the_head_of_a_stream_alone_leaves_the_connection_as_it_is() {
    let server = TestServer::start(&TestDatabase::sqlite()).await;
    let mut connection = connect(server.url()).await;
    for method in ["HEAD", "HEAD", "GET"] {
        let path = if method == "GET" { "/healthz" } else { "/graphql?query=%7Bviewer%7Bid%7D%7D" };
        let token = server.user("ann").token().unwrap().to_owned();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: {EVENTS}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let answer = answer(&mut connection).await;
        assert_eq!((answer.status, answer.header("connection")), (200, None), "{method}");
    }
}
