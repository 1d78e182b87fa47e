//! A bare connection, for requests that no decent client would send.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection from an address of the loopback network.
pub(super) struct Line(TcpStream);

impl Line {
    pub(super) async fn open(url: &str, from: Ipv4Addr) -> std::io::Result<Self> {
        let to: SocketAddr = url.trim_start_matches("http://").parse().map_err(std::io::Error::other)?;
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        Ok(Self(socket.connect(to).await?))
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The status that is answered, or what happens instead.
    pub(super) async fn status(&mut self) -> String {
        let mut head = [0; 12];
        match timeout(PATIENCE, self.0.read_exact(&mut head)).await {
            Err(_) => "silence".to_owned(),
            Ok(Err(_)) => "closed".to_owned(),
            Ok(Ok(_)) => String::from_utf8_lossy(&head[9..]).into_owned(),
        }
    }

    /// The status that is answered and the first error's code, or what happens instead. Reads the whole answer, so
    /// that another request may follow.
    pub(super) async fn outcome(&mut self) -> String {
        match timeout(PATIENCE, self.answer()).await {
            Err(_) => "silence".to_owned(),
            Ok(Err(_)) => "closed".to_owned(),
            Ok(Ok(answer)) => {
                let status = answer.get(9..12).unwrap_or_default();
                let code = answer.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next());
                code.map_or_else(|| status.to_owned(), |code| format!("{status} {code}"))
            }
        }
    }

    async fn answer(&mut self) -> std::io::Result<String> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
                if body.len() >= length {
                    return Ok(text.into_owned());
                }
            }
            if self.0.read_buf(&mut bytes).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The text of a request to the API.
pub(super) fn request(token: Option<&str>, body: &str) -> String {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{token}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
