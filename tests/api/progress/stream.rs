//! The events of a reply or of a feed, in every way in which they are streamed.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::http::{APOLLO, Socket, Way};
use crate::support::Client;

/// How long a stream may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream that has begun. Dropping it ends it.
pub(super) enum Stream {
    Body(Body),
    Socket(Box<Socket>),
}

/// How the events in a body are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Events,
    Parts,
    /// Events of REST.
    Rest,
}

pub(super) struct Body {
    response: Response,
    framing: Framing,
    buffer: Vec<u8>,
}

/// An event; what is wrong instead, as the `extensions` of an error have it.
pub(super) type Event = Result<Value, Value>;

/// What stands before a delimiter.
enum Block {
    Event(Event),
    SignOfLife,
    End,
}

impl Stream {
    /// Begins a subscription.
    pub(super) async fn subscribe(client: &Client, way: Way, query: &str, variables: &Value) -> Self {
        let begun = Self::try_subscribe(client, way, query, variables).await;
        begun.unwrap_or_else(|status| panic!("{status}"))
    }

    /// As [`Self::subscribe`]; the status that it is refused with, which a socket has none of.
    pub(super) async fn try_subscribe(
        client: &Client,
        way: Way,
        query: &str,
        variables: &Value,
    ) -> Result<Self, u16> {
        let fields = json!({ "query": query, "variables": variables });
        let (accept, framing) = match way {
            Way::Socket => {
                let mut socket = Socket::signed_in(client).await;
                socket.send(json!({ "type": "subscribe", "id": "1", "payload": fields })).await;
                return Ok(Self::Socket(Box::new(socket)));
            }
            Way::Parts => (APOLLO, Framing::Parts),
            _ => ("text/event-stream", Framing::Events),
        };
        Self::read(client.post("/graphql").header("accept", accept).json(&fields), framing).await
    }

    /// Asks for a reply by REST, or continues after the event with the id `after`.
    pub(super) async fn chat(client: &Client, message: &str, key: &str, after: Option<&str>) -> Self {
        let request = client.post("/api/ann/chat").json(&json!({ "message": message }));
        let request = request.header("accept", "text/event-stream").header("idempotency-key", key);
        let request = after.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        Self::read(request, Framing::Rest).await.unwrap_or_else(|status| panic!("{status}"))
    }

    async fn read(request: RequestBuilder, framing: Framing) -> Result<Self, u16> {
        let response = request.send().await.unwrap();
        match response.status().as_u16() {
            200 => Ok(Self::Body(Body { response, framing, buffer: Vec::new() })),
            status => Err(status),
        }
    }

    /// The next event, which must come without errors, as GraphQL has it; `None` once the stream is complete.
    pub(super) async fn next(&mut self) -> Option<Value> {
        self.try_next().await.map(|event| event.unwrap_or_else(|error| panic!("{error}")))
    }

    /// As [`Self::next`], for what may fail.
    pub(super) async fn try_next(&mut self) -> Option<Event> {
        match self {
            Self::Body(body) => body.next().await,
            Self::Socket(socket) => {
                let message = socket.message().await;
                match message["type"].as_str() {
                    Some("next") => Some(event_of(&message["payload"])),
                    Some("complete") => None,
                    _ => panic!("{message}"),
                }
            }
        }
    }
}

impl Body {
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(block) = self.take_block() {
                match self.framing.parse(&block) {
                    Block::Event(event) => return Some(event),
                    Block::SignOfLife => {}
                    Block::End => return None,
                }
            }
            let chunk =
                timeout(PATIENCE, self.response.chunk()).await.expect("a stream is not silent for ever");
            let Some(chunk) = chunk.expect("the connection lasts") else {
                assert!(self.framing == Framing::Rest, "a stream ends with a sign that it has");
                return None;
            };
            self.buffer.extend_from_slice(&chunk);
        }
    }

    fn take_block(&mut self) -> Option<String> {
        let delimiter: &[u8] = match self.framing {
            Framing::Parts if self.buffer == b"--\r\n" => b"\r\n",
            Framing::Parts => b"\r\n--graphql",
            Framing::Events | Framing::Rest => b"\n\n",
        };
        let end = self.buffer.windows(delimiter.len()).position(|bytes| bytes == delimiter)?;
        let mut block: Vec<u8> = self.buffer.drain(..end + delimiter.len()).collect();
        block.truncate(end);
        Some(String::from_utf8(block).unwrap())
    }
}

impl Framing {
    fn parse(self, block: &str) -> Block {
        let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        match self {
            Self::Events => match field("event: ") {
                Some("next") => Block::Event(event_of(&json(field("data: ").unwrap()))),
                Some("complete") => Block::End,
                _ => Block::SignOfLife,
            },
            Self::Parts if block == "--" => Block::End,
            Self::Parts => match block.split_once("\r\n\r\n").map(|(_, text)| json(text)) {
                Some(part) if part != json!({}) => Block::Event(event_of(&part["payload"])),
                _ => Block::SignOfLife,
            },
            Self::Rest => match field("event: ") {
                Some(name) => {
                    let id = field("id: ").unwrap_or_else(|| panic!("{block}"));
                    Block::Event(Ok(event_of_rest(name, id, &json(field("data: ").unwrap()))))
                }
                None => Block::SignOfLife,
            },
        }
    }
}

/// The value of the one field that is asked for.
fn event_of(answer: &Value) -> Event {
    match answer.get("errors") {
        None => Ok(answer["data"].as_object().unwrap().values().next().unwrap().clone()),
        Some(errors) => Err(errors[0]["extensions"].clone()),
    }
}

/// An event of REST as GraphQL has it.
fn event_of_rest(name: &str, id: &str, data: &Value) -> Value {
    let (kind, field, value) = match name {
        "requested" => ("ReplyRequested", "reply", json!({ "id": data["reply_id"] })),
        "started" => ("ReplyStarted", "attempt", data["attempt"].clone()),
        "reasoning" => ("ReplyReasoning", "text", data["text"].clone()),
        "text" => ("ReplyText", "text", data["text"].clone()),
        "tool_call" => {
            let call = &data["tool_call"];
            ("ReplyToolCall", "toolCall", json!({ "id": call["id"], "callId": call["call_id"] }))
        }
        "restarted" => ("ReplyRestarted", "attempt", data["attempt"].clone()),
        "ended" => ("ReplyEnded", "answer", data.clone()),
        _ => panic!("{name}: {data}"),
    };
    json!({ "__typename": kind, "cursor": id, field: value })
}
