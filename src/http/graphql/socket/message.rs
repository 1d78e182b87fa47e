//! The messages of `graphql-transport-ws`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::close::Close;
use crate::admission::values;
use crate::http::graphql::answer::{ResponseShape, write_json};
use crate::http::graphql::request::Fields;

/// What a client may send.
pub(super) enum Incoming {
    Init { authorization: Option<String> },
    Ping { authorization: Option<String> },
    Pong,
    Subscribe { id: String, fields: Box<Fields> },
    Complete { id: String },
}

impl Incoming {
    /// Reads a text message.
    pub(super) fn read(text: &str) -> Result<Self, Close> {
        if values::are_too_many(text.as_bytes()) {
            return Err(Close::bad_request("The message has more than 10,000 JSON values; send fewer."));
        }
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return Err(Close::bad_request("A message must be a JSON object."));
        };
        let Some(Value::String(kind)) = message.remove("type") else {
            return Err(Close::bad_request("A message must have a `type`, a string."));
        };
        match kind.as_str() {
            "connection_init" => Ok(Self::Init { authorization: authorization(payload(message)?)? }),
            "ping" => Ok(Self::Ping { authorization: authorization(payload(message)?)? }),
            "pong" => payload(message).map(|_| Self::Pong),
            "subscribe" => {
                let id = id(&mut message)?;
                let payload = payload(message)?
                    .ok_or_else(|| Close::bad_request("`subscribe` must have a `payload`, an object."))?;
                let fields = Fields::from_object(payload, text.len())
                    .map_err(|problem| Close::bad_request(&problem))?;
                Ok(Self::Subscribe { id, fields: Box::new(fields) })
            }
            "complete" => Ok(Self::Complete { id: id(&mut message)? }),
            _ => Err(Close::bad_request("There is no such `type` of message.")),
        }
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Value::String(id)) if (1..=256).contains(&id.len()) => Ok(id),
        _ => Err(Close::bad_request("`id` must be a string of 1 to 256 bytes.")),
    }
}

fn payload(mut message: Map<String, Value>) -> Result<Option<Map<String, Value>>, Close> {
    match message.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err(Close::bad_request("`payload` must be an object.")),
    }
}

/// The token in a payload: its key is written as people write the header.
fn authorization(payload: Option<Map<String, Value>>) -> Result<Option<String>, Close> {
    let found = payload.into_iter().flatten().find(|(key, _)| key.eq_ignore_ascii_case("authorization"));
    match found {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::String(authorization))) => Ok(Some(authorization)),
        Some(_) => Err(Close::bad_request("`authorization` must be a string.")),
    }
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Outgoing<'a> {
    ConnectionAck,
    Pong,
    Error { id: &'a str, payload: &'a [Value] },
    Complete { id: &'a str },
}

impl Outgoing<'_> {
    /// An answer of the operation `id`.
    pub(super) fn next(id: &str, answer: &ResponseShape<'_>) -> String {
        let mut bytes = b"{\"type\":\"next\",\"id\":".to_vec();
        write_json(&mut bytes, id);
        bytes.extend_from_slice(b",\"payload\":");
        answer.write(&mut bytes);
        bytes.push(b'}');
        String::from_utf8(bytes).unwrap_or_default()
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            tracing::error!(%error, "a message could not be written");
            String::new()
        })
    }
}
