//! GraphQL as a client sees it: requests that may be lost, and subscriptions as Server-Sent Events.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody knows what has become of it.
    Lost(String),
    /// The server says that it cannot now: the same as lost, but it says so.
    Unavailable,
    /// The server says no, with this code.
    Refused(String),
}

/// A client without a user.
#[derive(Clone, Debug)]
pub struct Api(reqwest::Client);

impl Api {
    /// A client with connections of its own.
    #[must_use]
    pub fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(1)).build();
        Self(client.unwrap())
    }

    /// A client that comes from an address of the loopback network.
    #[must_use]
    pub fn from(address: Ipv4Addr) -> Self {
        Self::connecting(address, usize::MAX)
    }

    /// A client that comes from an address of the loopback network, with a connection for each request.
    #[must_use]
    pub fn reconnecting(address: Ipv4Addr) -> Self {
        Self::connecting(address, 0)
    }

    fn connecting(address: Ipv4Addr, idle: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().local_address(IpAddr::from(address));
        Self(client.pool_max_idle_per_host(idle).build().unwrap())
    }

    /// The status of a page, if it comes within `patience`.
    pub async fn status(&self, url: &str, patience: Duration) -> Option<u16> {
        let answer = timeout(patience, self.0.get(url).send()).await.ok()?.ok()?;
        Some(answer.status().as_u16())
    }

    /// Runs an operation, and returns its data.
    ///
    /// # Errors
    /// What became of it, if there is no data within `patience`.
    pub async fn run(
        &self,
        url: &str,
        token: &str,
        operation: &str,
        variables: Value,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        let ask = async {
            let response = self.post(url, token, operation, variables, "application/json").await?;
            response.json().await.map_err(|error| lost(&error))
        };
        let body = timeout(patience, ask).await.map_err(|_| Trouble::Lost("no answer".to_owned()))??;
        data(body)
    }

    /// Begins a subscription.
    ///
    /// # Errors
    /// If the server does not answer within `patience`, or with no stream of events.
    pub async fn subscribe(
        &self,
        url: &str,
        token: &str,
        operation: &str,
        variables: Value,
        patience: Duration,
    ) -> Result<Events, Trouble> {
        self.stream(url, token, operation, variables, patience, Framing::Events).await
    }

    /// As [`Self::subscribe`], in the given way.
    ///
    /// # Errors
    /// As its.
    pub async fn stream(
        &self,
        url: &str,
        token: &str,
        operation: &str,
        variables: Value,
        patience: Duration,
        framing: Framing,
    ) -> Result<Events, Trouble> {
        let ask = self.post(url, token, operation, variables, framing.accept());
        let response = timeout(patience, ask).await.map_err(|_| Trouble::Lost("no answer".to_owned()))??;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| framing.accept().starts_with(kind.split(';').next().unwrap_or_default()))
        {
            let body = response.json().await.map_err(|error| lost(&error))?;
            data(body)?;
            return Err(Trouble::Refused("no stream".to_owned()));
        }
        Ok(Events { response, framing, buffer: Vec::new() })
    }

    async fn post(
        &self,
        url: &str,
        token: &str,
        operation: &str,
        variables: Value,
        accept: &str,
    ) -> Result<Response, Trouble> {
        let body = json!({ "query": operation, "variables": variables });
        let request = self.0.post(format!("{url}/graphql")).bearer_auth(token).header(ACCEPT, accept);
        request.json(&body).send().await.map_err(|error| lost(&error))
    }
}

impl Default for Api {
    fn default() -> Self {
        Self::new()
    }
}

/// What a subscription says.
#[derive(Debug)]
pub enum Said {
    /// One event's data.
    Data(Value),
    /// It is over.
    Complete,
    /// Nothing for so long.
    Silence,
}

/// How events are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-Sent Events.
    Events,
    /// The parts of Apollo's protocol.
    Parts,
}

impl Framing {
    fn accept(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Parts => "multipart/mixed;subscriptionSpec=1.0",
        }
    }

    /// What stands after each event.
    fn delimiter(self) -> &'static [u8] {
        match self {
            Self::Events => b"\n\n",
            Self::Parts => b"\r\n--graphql",
        }
    }

    /// Reads one event; `None` for a sign of life.
    fn read(self, block: &str) -> Option<Result<Said, Trouble>> {
        match self {
            Self::Events => read(block),
            Self::Parts => read_part(block),
        }
    }
}

/// A running subscription. Dropping it ends it.
#[derive(Debug)]
pub struct Events {
    response: Response,
    framing: Framing,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event, waited for at most `patience`.
    ///
    /// # Errors
    /// If the connection breaks, or the event holds errors.
    pub async fn next(&mut self, patience: Duration) -> Result<Said, Trouble> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            while let Some(block) = self.take_block() {
                if let Some(said) = self.framing.read(&block) {
                    return said;
                }
            }
            match tokio::time::timeout_at(deadline, self.response.chunk()).await {
                Err(_) => return Ok(Said::Silence),
                Ok(Ok(Some(bytes))) => self.buffer.extend_from_slice(&bytes),
                Ok(Ok(None)) => return Err(Trouble::Lost("the stream broke off".to_owned())),
                Ok(Err(error)) => return Err(lost(&error)),
            }
        }
    }

    /// What stands before the next delimiter.
    fn take_block(&mut self) -> Option<String> {
        let delimiter = self.framing.delimiter();
        if self.framing == Framing::Parts && self.buffer == b"--\r\n" {
            self.buffer.clear();
            return Some("--".to_owned());
        }
        let end = self.buffer.windows(delimiter.len()).position(|bytes| bytes == delimiter)?;
        let mut block: Vec<u8> = self.buffer.drain(..end + delimiter.len()).collect();
        block.truncate(end);
        Some(String::from_utf8(block).unwrap())
    }
}

/// Reads one event; `None` for a comment.
fn read(block: &str) -> Option<Result<Said, Trouble>> {
    let field = |name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start))
    };
    match field("event")? {
        "next" => {
            let body =
                serde_json::from_str(field("data")?).map_err(|error| Trouble::Refused(error.to_string()));
            Some(body.and_then(data).map(Said::Data))
        }
        "complete" => Some(Ok(Said::Complete)),
        _ => None,
    }
}

/// Reads one part; `None` for a heartbeat, and for what stands before the first one.
fn read_part(block: &str) -> Option<Result<Said, Trouble>> {
    if block == "--" {
        return Some(Ok(Said::Complete));
    }
    let (_, json) = block.split_once("\r\n\r\n")?;
    let part: Result<Value, _> = serde_json::from_str(json);
    let mut part = match part {
        Ok(part) if part == json!({}) => return None,
        Ok(part) => part,
        Err(error) => return Some(Err(Trouble::Refused(error.to_string()))),
    };
    let body = if part["payload"].is_null() { part } else { part["payload"].take() };
    Some(data(body).map(Said::Data))
}

fn data(mut body: Value) -> Result<Value, Trouble> {
    match body["errors"][0]["extensions"]["code"].as_str() {
        Some("UNAVAILABLE") => Err(Trouble::Unavailable),
        Some(code) => Err(Trouble::Refused(code.to_owned())),
        None if body["data"].is_object() => Ok(body["data"].take()),
        None => Err(Trouble::Refused(format!("neither data nor a code: {body}"))),
    }
}

fn lost(error: &reqwest::Error) -> Trouble {
    Trouble::Lost(error.to_string())
}
