//! The API as a client sees it: requests that may be lost, and streams in every way in which they come.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::events::{Body, Events, Framing};
use crate::socket::Socket;

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
        let body = timeout(patience, ask).await.map_err(|_| no_answer())??;
        data(body)
    }

    /// Begins a subscription by Server-Sent Events.
    ///
    /// # Errors
    /// If the server does not answer within `patience`, or with no stream.
    pub async fn subscribe(
        &self,
        url: &str,
        token: &str,
        operation: &str,
        variables: Value,
        patience: Duration,
    ) -> Result<Events, Trouble> {
        self.stream((url, token), (operation, variables), Way::Events, patience).await
    }

    /// As [`Self::subscribe`], in the given way.
    ///
    /// # Errors
    /// As its.
    pub async fn stream(
        &self,
        (url, token): (&str, &str),
        (operation, variables): (&str, Value),
        way: Way,
        patience: Duration,
    ) -> Result<Events, Trouble> {
        let framing = match way {
            Way::Events => Framing::Events,
            Way::Parts => Framing::Parts,
            Way::Socket => {
                let socket = timeout(patience, Socket::subscribe(url, token, operation, &variables)).await;
                return socket.map_err(|_| no_answer())?.map(|socket| Events::Socket(Box::new(socket)));
            }
        };
        let ask = self.post(url, token, operation, variables, framing.accept());
        body(ask, framing, patience).await
    }

    /// Goes on with a reply that was asked for under `key`, after the event `after`, as REST streams it.
    ///
    /// # Errors
    /// As those of [`Self::subscribe`].
    pub async fn chat(
        &self,
        url: &str,
        token: &str,
        question: &Value,
        (key, after): (&str, &str),
        patience: Duration,
    ) -> Result<Events, Trouble> {
        let request = self.0.post(url).bearer_auth(token).header(ACCEPT, Framing::Rest.accept());
        let request = request.header("idempotency-key", key).header("last-event-id", after);
        let ask = async { request.json(question).send().await.map_err(|error| lost(&error)) };
        body(ask, Framing::Rest, patience).await
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

/// How a subscription is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// For Server-Sent Events.
    Events,
    /// For the parts of Apollo's protocol.
    Parts,
    /// On a WebSocket.
    Socket,
}

/// What streams in the body of an answer.
async fn body(
    ask: impl Future<Output = Result<Response, Trouble>>,
    framing: Framing,
    patience: Duration,
) -> Result<Events, Trouble> {
    let response = timeout(patience, ask).await.map_err(|_| no_answer())??;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !framing.accept().starts_with(kind) || kind.is_empty() {
        data(response.json().await.map_err(|error| lost(&error))?)?;
        return Err(Trouble::Refused("no stream".to_owned()));
    }
    Ok(Events::Body(Body::new(response, framing)))
}

fn no_answer() -> Trouble {
    Trouble::Lost("no answer".to_owned())
}

/// The data of an answer.
///
/// # Errors
/// What the answer says instead.
pub fn data(mut body: Value) -> Result<Value, Trouble> {
    match body["errors"][0]["extensions"]["code"].as_str() {
        Some("UNAVAILABLE") => Err(Trouble::Unavailable),
        Some(code) => Err(Trouble::Refused(code.to_owned())),
        None if body["data"].is_object() => Ok(body["data"].take()),
        None => Err(Trouble::Refused(format!("neither data nor a code: {body}"))),
    }
}

pub fn lost(error: &reqwest::Error) -> Trouble {
    Trouble::Lost(error.to_string())
}
