//! Bodies that are not what their head says.

use causerie::admission::Limits;
use tokio::io::AsyncWriteExt;

use super::limited;
use super::wire::{answer, connect, exchange};
use crate::support::{TestDatabase, TestServer};

const PATHS: [&str; 2] = ["/graphql", "/api/ann/chat"];

async fn server() -> TestServer {
    limited(&TestDatabase::sqlite(), Limits::default()).await
}

/// The head of a POST by ann with `line` in it.
fn head(server: &TestServer, path: &str, line: &str) -> String {
    let token = server.user("ann").token().unwrap().to_owned();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\n{line}\r\n\r\n"
    )
}

#[tokio::test]
async fn chunks_that_are_none_are_no_large_body() {
    let server = server().await;
    for path in PATHS {
        for chunks in ["x\r\n", "5\r\nabcdefgh\r\n0\r\n\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"] {
            let request = head(&server, path, "Transfer-Encoding: chunked") + chunks;
            exchange(server.url(), request).await.refused(400, "BAD_REQUEST");
        }
        let large = format!("{:x}\r\n{}\r\n0\r\n\r\n", 1024 * 1024 + 1, " ".repeat(1024 * 1024 + 1));
        let request = head(&server, path, "Transfer-Encoding: chunked") + &large;
        exchange(server.url(), request).await.refused(413, "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_large_one() {
    let server = server().await;
    for path in PATHS {
        for (line, start) in [("Content-Length: 99", "{"), ("Transfer-Encoding: chunked", "5\r\n{")] {
            let mut connection = connect(server.url()).await;
            connection.write_all((head(&server, path, line) + start).as_bytes()).await.unwrap();
            connection.shutdown().await.unwrap();
            answer(&mut connection).await.refused(400, "BAD_REQUEST");
        }
    }
}

#[tokio::test]
async fn a_body_in_another_encoding_is_not_read() {
    let server = server().await;
    for path in PATHS {
        for encoding in ["gzip", "br", "identity, gzip", "aws-chunked", "identity\r\nContent-Encoding: gzip"]
        {
            let line = format!("Content-Encoding: {encoding}\r\nContent-Length: 2");
            let answer = exchange(server.url(), head(&server, path, &line) + "\u{1f}\u{8}").await;
            answer.refused(415, "UNSUPPORTED_MEDIA_TYPE");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
        for encoding in ["identity", "Identity", ""] {
            let line = format!("Content-Encoding: {encoding}\r\nContent-Length: 2");
            let answer = exchange(server.url(), head(&server, path, &line) + "{}").await;
            assert!([400, 422].contains(&answer.status), "{encoding}: {answer:?}");
        }
    }
}
