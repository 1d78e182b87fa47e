//! Streams of events.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::api::{Trouble, data, lost};
use crate::socket::Socket;

/// What a stream says.
#[derive(Debug)]
pub enum Said {
    /// One event's data.
    Data(Value),
    /// It is over.
    Complete,
    /// Nothing for so long.
    Silence,
}

/// A running stream. Dropping it ends it.
#[derive(Debug)]
pub enum Events {
    Body(Body),
    Socket(Box<Socket>),
}

impl Events {
    /// The next event, waited for at most `patience`.
    ///
    /// # Errors
    /// If the connection breaks, or the event holds errors.
    pub async fn next(&mut self, patience: Duration) -> Result<Said, Trouble> {
        let next = async {
            match self {
                Self::Body(body) => body.next().await,
                Self::Socket(socket) => socket.next().await,
            }
        };
        timeout_at(Instant::now() + patience, next).await.unwrap_or(Ok(Said::Silence))
    }
}

/// A stream in the body of an answer.
#[derive(Debug)]
pub struct Body {
    response: Response,
    framing: Framing,
    buffer: Vec<u8>,
}

/// How events are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-Sent Events of GraphQL.
    Events,
    /// The parts of Apollo's protocol.
    Parts,
    /// Server-Sent Events of REST.
    Rest,
}

impl Body {
    pub fn new(response: Response, framing: Framing) -> Self {
        Self { response, framing, buffer: Vec::new() }
    }

    async fn next(&mut self) -> Result<Said, Trouble> {
        loop {
            while let Some(block) = self.take_block() {
                if let Some(said) = self.framing.read(&block) {
                    return said;
                }
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.buffer.extend_from_slice(&bytes),
                Ok(None) => return Err(Trouble::Lost("the stream broke off".to_owned())),
                Err(error) => return Err(lost(&error)),
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

impl Framing {
    /// The media type to ask for.
    pub fn accept(self) -> &'static str {
        match self {
            Self::Events | Self::Rest => "text/event-stream",
            Self::Parts => "multipart/mixed;subscriptionSpec=1.0",
        }
    }

    /// What stands after each event.
    fn delimiter(self) -> &'static [u8] {
        match self {
            Self::Events | Self::Rest => b"\n\n",
            Self::Parts => b"\r\n--graphql",
        }
    }

    /// Reads one event; `None` for a sign of life.
    fn read(self, block: &str) -> Option<Result<Said, Trouble>> {
        match self {
            Self::Events => read(block),
            Self::Parts => read_part(block),
            Self::Rest => read_rest(block),
        }
    }
}

/// Reads one event; `None` for a comment.
fn read(block: &str) -> Option<Result<Said, Trouble>> {
    match field(block, "event")? {
        "next" => Some(parse(field(block, "data")?).and_then(data).map(Said::Data)),
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
    let mut part = match parse(json) {
        Ok(part) if part == json!({}) => return None,
        Ok(part) => part,
        Err(trouble) => return Some(Err(trouble)),
    };
    let body = if part["payload"].is_null() { part } else { part["payload"].take() };
    Some(data(body).map(Said::Data))
}

/// Reads one event of REST, as GraphQL has it in a field `chat`; `None` for a comment.
fn read_rest(block: &str) -> Option<Result<Said, Trouble>> {
    let name = field(block, "event")?;
    let read = parse(field(block, "data").unwrap_or_default());
    Some(read.and_then(|read| {
        let event = match name {
            "started" => json!({ "__typename": "ReplyStarted" }),
            "reasoning" => json!({ "__typename": "ReplyReasoning", "text": read["text"] }),
            "text" => json!({ "__typename": "ReplyText", "text": read["text"] }),
            "tool_call" => {
                json!({ "__typename": "ReplyToolCall", "toolCall": call(&read["tool_call"]) })
            }
            "restarted" => json!({ "__typename": "ReplyRestarted" }),
            "ended" => {
                let calls: Vec<_> = read["tool_calls"].as_array().into_iter().flatten().map(call).collect();
                let message = json!({ "id": read["reply_id"], "content": read["response"], "calls": calls });
                json!({ "__typename": "ReplyEnded", "message": message })
            }
            "error" => return data(read).map(Said::Data),
            _ => return Err(Trouble::Refused(format!("no event of a reply: {block}"))),
        };
        let mut event = event;
        event["cursor"] = field(block, "id").into();
        Ok(Said::Data(json!({ "chat": event })))
    }))
}

/// A tool call of REST as GraphQL has it.
fn call(call: &Value) -> Value {
    json!({ "id": call["id"], "callId": call["call_id"] })
}

fn field<'b>(block: &'b str, name: &str) -> Option<&'b str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start))
}

fn parse(json: &str) -> Result<Value, Trouble> {
    serde_json::from_str(json).map_err(|error| Trouble::Refused(error.to_string()))
}
