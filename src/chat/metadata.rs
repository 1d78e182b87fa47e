//! JSON objects that clients store with conversations and messages.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;

/// How many bytes a metadata object may have as compact JSON.
const MAX_BYTES: usize = 4096;

/// How many levels a metadata object may have, with its own.
const MAX_DEPTH: usize = 16;

/// A checked JSON object of the client. The server does not interpret it.
///
/// It is stored as text and not as the databases' JSON types, so that both databases return it unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata(String);

impl Metadata {
    /// Checks that `value` is an object of at most 4,096 bytes as compact JSON, nested at most 16 deep, and without
    /// NUL.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] says what it is not.
    pub fn new(value: &Value) -> Result<Self, Error> {
        let refuse = |message: String| Err(Error::input("metadata", message));
        let Value::Object(object) = value else {
            return refuse("`metadata` must be a JSON object.".to_owned());
        };
        if !fits(object.values(), MAX_DEPTH) {
            return refuse(format!("`metadata` must be nested at most {MAX_DEPTH} deep."));
        }
        let text = value.to_string();
        if text.len() > MAX_BYTES {
            let length = text.len();
            return refuse(format!("`metadata` must have at most {MAX_BYTES} bytes; it has {length}."));
        }
        if has_nul(value) {
            return refuse("`metadata` must not contain NUL.".to_owned());
        }
        Ok(Self(text))
    }

    /// Reads the object of a row.
    #[must_use]
    pub fn read(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The text for a row.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

/// Whether `values` have at most `depth` levels.
fn fits<'v>(mut values: impl Iterator<Item = &'v Value>, depth: usize) -> bool {
    depth > 0
        && values.all(|value| match value {
            Value::Array(items) => fits(items.iter(), depth - 1),
            Value::Object(object) => fits(object.values(), depth - 1),
            _ => true,
        })
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Value {
        (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn an_object_within_the_limits_comes_back_as_it_was() {
        let exact = json!({ "a": "x".repeat(MAX_BYTES - 8) });
        for value in [json!({}), json!({ "é": [1, 2.5, null, { "b": true }] }), nested(MAX_DEPTH), exact] {
            let text = Metadata::new(&value).unwrap().into_text();
            assert_eq!(Value::Object(Metadata::read(&text)), value);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = json!({ "a": "x".repeat(MAX_BYTES - 7) });
        let nul = [json!({ "a": ["\0"] }), json!({ "a": { "\0": 1 } })];
        let shapes = [json!([]), json!("a"), json!(1), Value::Null];
        for value in [long, nested(MAX_DEPTH + 1)].into_iter().chain(nul).chain(shapes) {
            assert!(Metadata::new(&value).is_err(), "{value}");
        }
    }
}
