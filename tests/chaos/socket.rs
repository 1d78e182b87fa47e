//! A subscription on a WebSocket of its own.

use axum::http::HeaderValue;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::api::{Trouble, data};
use crate::events::Said;

/// With these a server says that it has to go, or has no time.
const COME_AGAIN: [u16; 2] = [1001, 1013];

/// A WebSocket on which one subscription runs. Dropping it ends both.
#[derive(Debug)]
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens a socket, signs in and subscribes.
    ///
    /// # Errors
    /// If any of it fails; a subscription is refused only later.
    pub async fn subscribe(
        url: &str,
        token: &str,
        operation: &str,
        variables: &Value,
    ) -> Result<Self, Trouble> {
        let address = url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.map_err(|error| Trouble::Lost(error.to_string()))?;
        let mut request = format!("ws://{address}/graphql").into_client_request().map_err(trouble)?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let mut socket = Self(client_async(request, stream).await.map_err(trouble)?.0);
        let payload = json!({ "authorization": format!("Bearer {token}") });
        socket.send(json!({ "type": "connection_init", "payload": payload })).await?;
        let answer = socket.message().await?;
        if answer["type"] != "connection_ack" {
            return Err(Trouble::Refused(format!("no acknowledgement: {answer}")));
        }
        let payload = json!({ "query": operation, "variables": variables });
        socket.send(json!({ "type": "subscribe", "id": "1", "payload": payload })).await?;
        Ok(socket)
    }

    /// The next event.
    ///
    /// # Errors
    /// If the socket is closed, or the event holds errors.
    pub async fn next(&mut self) -> Result<Said, Trouble> {
        let mut message = self.message().await?;
        match message["type"].as_str() {
            Some("next") => data(message["payload"].take()).map(Said::Data),
            Some("error") => data(json!({ "errors": message["payload"].take() })).map(Said::Data),
            Some("complete") => Ok(Said::Complete),
            _ => Err(Trouble::Refused(format!("no message of the protocol: {message}"))),
        }
    }

    async fn send(&mut self, message: Value) -> Result<(), Trouble> {
        self.0.send(Message::text(message.to_string())).await.map_err(trouble)
    }

    /// The next message; pings are answered meanwhile.
    async fn message(&mut self) -> Result<Value, Trouble> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(|error| Trouble::Refused(error.to_string()));
                }
                Some(Ok(Message::Close(Some(frame)))) => return Err(closed(&frame)),
                Some(Ok(Message::Close(None))) | None => {
                    return Err(Trouble::Lost("the socket was closed".to_owned()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(trouble(error)),
            }
        }
    }
}

fn closed(frame: &CloseFrame) -> Trouble {
    match u16::from(frame.code) {
        code if COME_AGAIN.contains(&code) => Trouble::Unavailable,
        code => Trouble::Refused(format!("close code {code}")),
    }
}

fn trouble(error: Error) -> Trouble {
    match error {
        Error::Http(response) if response.status() == 503 => Trouble::Unavailable,
        Error::Http(response) => Trouble::Refused(format!("status {}", response.status())),
        error => Trouble::Lost(error.to_string()),
    }
}
