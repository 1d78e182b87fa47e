//! Requests written byte by byte, as no library would send them.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The lines of the head, in lower case.
    head: String,
    /// Null if it is no JSON.
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.filter(|(it, _)| *it == name).map(|(_, value)| value.trim()).next()
    }

    /// Checks that it is one error of the usual shape.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.body["errors"][0]["extensions"]["code"], code, "{self:?}");
        assert!(self.body["errors"][0]["message"].as_str().unwrap().ends_with('.'), "{self:?}");
    }
}

pub async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()
}

/// All that comes until the server hangs up.
pub async fn read_to_end(connection: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = timeout(Duration::from_secs(10), connection.read_to_end(&mut bytes)).await.expect("it hangs up");
    bytes
}

/// Sends a request and reads the one answer.
pub async fn exchange(url: &str, request: impl AsRef<[u8]>) -> Answer {
    let mut connection = connect(url).await;
    connection.write_all(request.as_ref()).await.unwrap();
    answer(&mut connection).await
}

/// Reads one answer.
pub async fn answer(connection: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(timeout(Duration::from_secs(10), connection.read_u8()).await.expect("an answer").unwrap());
    }
    let head = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: Value::Null };
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    timeout(Duration::from_secs(10), connection.read_exact(&mut body)).await.expect("a body").unwrap();
    answer.body = serde_json::from_slice(&body).unwrap_or_default();
    answer
}
