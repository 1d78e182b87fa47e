//! A client that speaks `graphql-transport-ws`, and can break its rules.

use std::time::Duration;

use futures_util::future::ready;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::Client;

/// A WebSocket to a server.
pub struct Socket(WebSocketStream<TcpStream>);

/// What comes out of a socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Message(Value),
    Ping,
    Closed(u16),
    /// The connection is gone, without a word.
    Gone,
}

impl Socket {
    /// Opens a socket and says nothing.
    pub async fn open(url: &str) -> Self {
        Self::over(url, TcpSocket::new_v4().unwrap()).await
    }

    async fn over(url: &str, socket: TcpSocket) -> Self {
        let address = url.trim_start_matches("http://");
        let stream = socket.connect(address.parse().unwrap()).await.unwrap();
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        Self(client_async(request, stream).await.unwrap().0)
    }

    /// Opens a socket and signs in.
    pub async fn signed_in(client: &Client) -> Self {
        Self::open(client.url()).await.sign_in(client).await
    }

    /// As [`Self::signed_in`], with little room for what was not read yet.
    pub async fn narrow(client: &Client) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(client.url(), socket).await.sign_in(client).await
    }

    async fn sign_in(self, client: &Client) -> Self {
        let mut socket = self;
        socket.init(client.token()).await;
        assert_eq!(socket.next().await, Frame::Message(json!({ "type": "connection_ack" })));
        socket
    }

    pub async fn init(&mut self, token: Option<&str>) {
        let payload = token.map(|token| json!({ "authorization": format!("Bearer {token}") }));
        self.send(json!({ "type": "connection_init", "payload": payload })).await;
    }

    pub async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Sends one message in several frames.
    pub async fn send_in_frames(&mut self, message: &Value, frames: usize) {
        let text = message.to_string();
        let mut parts: Vec<_> = text.as_bytes().chunks(text.len().div_ceil(frames)).collect();
        let last = parts.pop().unwrap();
        let mut kind = Data::Text;
        for part in parts {
            self.0.send(part_of(part, kind, false)).await.unwrap();
            kind = Data::Continue;
        }
        self.0.send(part_of(last, kind, true)).await.unwrap();
    }

    /// Sends a frame that is no message.
    pub async fn ping(&mut self) {
        self.0.send(Message::Ping(Vec::new().into())).await.unwrap();
    }

    /// Closes the socket, and gives a reason.
    pub async fn close(&mut self, reason: &str) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: reason.into() };
        self.0.close(Some(frame)).await.unwrap();
        while self.0.next().await.is_some_and(|frame| frame.is_ok()) {}
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(subscribe(id, &json!({ "query": query }))).await;
    }

    /// Whatever comes next. Pings are answered.
    pub async fn next_frame(&mut self) -> Frame {
        // Answers to this client's own pings say nothing.
        let mut frames = self.0.by_ref().filter(|frame| ready(!matches!(frame, Ok(Message::Pong(_)))));
        let frame = timeout(Duration::from_secs(20), frames.next()).await.expect("nothing comes");
        match frame {
            Some(Ok(Message::Text(text))) => Frame::Message(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Ping(_))) => Frame::Ping,
            Some(Ok(Message::Close(Some(frame)))) => Frame::Closed(frame.code.into()),
            _ => Frame::Gone,
        }
    }

    /// What comes next, pings aside: they go on for as long as the socket is open.
    pub async fn next(&mut self) -> Frame {
        let next = async {
            loop {
                let frame = self.next_frame().await;
                if frame != Frame::Ping {
                    return frame;
                }
            }
        };
        timeout(Duration::from_secs(20), next).await.expect("nothing but pings comes")
    }

    /// The next message, which must be one.
    pub async fn message(&mut self) -> Value {
        match self.next().await {
            Frame::Message(message) => message,
            other => panic!("a message was expected, not {other:?}"),
        }
    }

    /// The code that the socket is closed with, whatever comes before.
    pub async fn closed(&mut self) -> u16 {
        let code = async {
            loop {
                match self.next().await {
                    Frame::Message(_) | Frame::Ping => {}
                    Frame::Closed(code) => return code,
                    Frame::Gone => panic!("the connection is gone without a close code"),
                }
            }
        };
        // It is not silent for long: it pings.
        timeout(Duration::from_secs(20), code).await.expect("it is not closed")
    }

    /// Runs an operation to its end and returns the messages that came for it.
    pub async fn run(&mut self, id: &str, query: &str) -> Vec<Value> {
        self.ask(id, &json!({ "query": query })).await
    }

    /// As [`Self::run`], with all that a request may have beside its query.
    pub async fn ask(&mut self, id: &str, fields: &Value) -> Vec<Value> {
        self.send(subscribe(id, fields)).await;
        let mut messages = Vec::new();
        loop {
            let message = self.message().await;
            if message["id"] != id {
                continue;
            }
            let ended = message["type"] != "next";
            messages.push(message);
            if ended {
                return messages;
            }
        }
    }
}

fn subscribe(id: &str, fields: &Value) -> Value {
    json!({ "type": "subscribe", "id": id, "payload": fields })
}

fn part_of(bytes: &[u8], kind: Data, is_last: bool) -> Message {
    Message::Frame(frame::Frame::message(bytes.to_vec(), OpCode::Data(kind), is_last))
}
