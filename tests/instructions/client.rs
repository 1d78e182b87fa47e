//! A client that costs next to nothing: it is counted as well.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A connection to the server.
pub(crate) struct Client {
    socket: TcpStream,
    token: String,
    /// What has come and is not forgotten.
    buffer: Vec<u8>,
    /// Where reads go to: making room in `buffer` for each would be counted as well, and most of all.
    chunk: Box<[u8]>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, token: String) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        Self { socket, token, buffer: Vec::with_capacity(1 << 16), chunk: vec![0; 1 << 15].into() }
    }

    /// The bytes of a request.
    pub(crate) fn prepare(&self, document: &Value, accept: &str) -> Vec<u8> {
        let (body, token) = (document.to_string(), &self.token);
        let length = body.len();
        format!(
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             accept: {accept}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Sends a request, and leaves the answer to [`Self::read_until`].
    pub(crate) fn send(&mut self, request: &[u8]) {
        self.buffer.clear();
        self.socket.write_all(request).unwrap();
    }

    /// Sends a request; returns the body of its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.send(request);
        let head = self.read_until(b"\r\n\r\n");
        let fields = String::from_utf8_lossy(&self.buffer[..head]).to_ascii_lowercase();
        assert!(fields.starts_with("http/1.1 200"), "{}", String::from_utf8_lossy(&self.buffer));
        let length = fields.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let end = head + length.unwrap().parse::<usize>().unwrap();
        while self.buffer.len() < end {
            self.read();
        }
        &self.buffer[head..end]
    }

    /// Reads until `mark` has come; returns where it ends.
    pub(crate) fn read_until(&mut self, mark: &[u8]) -> usize {
        let mut looked_at = 0;
        loop {
            let new = &self.buffer[looked_at..];
            if let Some(start) = new.windows(mark.len()).position(|window| window == mark) {
                return looked_at + start + mark.len();
            }
            looked_at = (self.buffer.len() + 1).saturating_sub(mark.len());
            self.read();
        }
    }

    /// Forgets what has come so far, up to `end`.
    pub(crate) fn forget(&mut self, end: usize) {
        self.buffer.drain(..end);
    }

    fn read(&mut self) {
        let count = self.socket.read(&mut self.chunk).unwrap();
        assert!(count > 0, "the server has closed the connection: {}", String::from_utf8_lossy(&self.buffer));
        self.buffer.extend_from_slice(&self.chunk[..count]);
    }
}
