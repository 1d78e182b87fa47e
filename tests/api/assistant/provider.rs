//! A provider that says exactly what it is told to, byte by byte, and tells what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Listens until each script has been played, one to a connection, in order.
pub struct Provider {
    address: SocketAddr,
    seen: UnboundedReceiver<Seen>,
}

#[derive(Debug)]
enum Seen {
    Request(Request),
    /// The client closed a connection that the script held open.
    Closed,
}

/// A request as it came.
#[derive(Debug)]
pub struct Request {
    /// The request line and the headers, in lower case.
    pub head: String,
    pub body: Value,
    /// The body as it was sent.
    pub text: String,
}

/// What is done on one connection after its request; then it is closed.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends the same again and again until the client closes.
    Repeat(Vec<u8>, Duration),
    /// Waits until the client closes.
    Hold,
}

impl Script {
    /// Says nothing.
    pub fn silent() -> Self {
        Self::default()
    }

    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { steps: vec![Step::Send(bytes.into())] }
    }

    /// A whole answer. `headers` are lines that end in `\r\n`.
    pub fn answer(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::raw(format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    /// A stream that has begun; the client gets each of `pieces` by itself.
    pub fn open<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let mut script = Self::raw(head);
        script.steps.extend(pieces.into_iter().map(|piece| Step::Send(chunk(piece.as_ref()))));
        script
    }

    /// A stream that ends as HTTP wants it.
    pub fn stream<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Self {
        Self::open(pieces).then(Step::Send(b"0\r\n\r\n".to_vec()))
    }

    pub fn send(self, piece: &str) -> Self {
        self.then(Step::Send(chunk(piece.as_bytes())))
    }

    pub fn wait(self, time: Duration) -> Self {
        self.then(Step::Wait(time))
    }

    pub fn repeat(self, piece: &str, every: Duration) -> Self {
        self.then(Step::Repeat(chunk(piece.as_bytes()), every))
    }

    pub fn hold(self) -> Self {
        self.then(Step::Hold)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// A piece of a body in chunked encoding; nothing stays nothing, as an empty chunk would end the body.
fn chunk(piece: &[u8]) -> Vec<u8> {
    if piece.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

impl Provider {
    pub fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, receiver) = unbounded_channel();
        thread::spawn(move || {
            for script in scripts {
                let (connection, _) = listener.accept().expect("a connection");
                let seen = seen.clone();
                thread::spawn(move || serve(&connection, script, &seen));
            }
        });
        Self { address, seen: receiver }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request.
    pub async fn request(&mut self) -> Request {
        match self.next().await {
            Some(Seen::Request(request)) => request,
            other => panic!("a request was expected, not {other:?}"),
        }
    }

    /// Waits until the client has closed a connection; fails if that takes a second.
    pub async fn closed(&mut self) {
        let seen =
            tokio::time::timeout(Duration::from_secs(1), self.next()).await.expect("closed within a second");
        assert!(matches!(seen, Some(Seen::Closed)), "{seen:?}");
    }

    /// How many requests have come that nobody has looked at, once all scripts have been played.
    pub async fn requests(&mut self) -> usize {
        let mut count = 0;
        while let Some(seen) = self.next().await {
            count += usize::from(matches!(seen, Seen::Request(_)));
        }
        count
    }

    /// How many requests have come so far that nobody has looked at.
    pub fn requests_so_far(&mut self) -> usize {
        let mut count = 0;
        while let Ok(seen) = self.seen.try_recv() {
            count += usize::from(matches!(seen, Seen::Request(_)));
        }
        count
    }

    async fn next(&mut self) -> Option<Seen> {
        self.seen.recv().await
    }
}

fn serve(connection: &TcpStream, script: Script, seen: &UnboundedSender<Seen>) {
    connection.set_nodelay(true).expect("no delay");
    let _ = seen.send(Seen::Request(read(connection)));
    for step in script.steps {
        match step {
            // A client that has heard enough may have gone.
            Step::Send(bytes) => drop((&mut &*connection).write_all(&bytes)),
            Step::Wait(time) => drop(is_closed_within(connection, Some(time))),
            Step::Repeat(bytes, every) => {
                while !is_closed_within(connection, Some(every)) {
                    drop((&mut &*connection).write_all(&bytes));
                }
                let _ = seen.send(Seen::Closed);
            }
            Step::Hold => {
                assert!(is_closed_within(connection, None));
                let _ = seen.send(Seen::Closed);
            }
        }
    }
}

fn read(connection: &TcpStream) -> Request {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let length = reader.read_line(&mut head).expect("a line");
        assert_ne!(length, 0, "the client closed in mid-request: {head}");
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("the body");
    let text = String::from_utf8(body).expect("UTF-8");
    Request { head, body: serde_json::from_str(&text).expect("JSON"), text }
}

/// Waits for the client to close, for ever if there is no `limit`.
fn is_closed_within(connection: &TcpStream, limit: Option<Duration>) -> bool {
    let start = Instant::now();
    loop {
        let rest = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        if rest.is_some_and(|rest| rest.is_zero()) {
            return false;
        }
        connection.set_read_timeout(rest).expect("a timeout");
        match (&mut &*connection).read(&mut [0]) {
            Ok(0) => return true,
            Ok(_) => panic!("the client spoke again"),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return true,
        }
    }
}
