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

    /// `earlier`, the text of a row, with this object merged into it as a JSON merge patch (RFC 7396): `null` removes a
    /// key, objects are merged, and any other value replaces what is there.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the result is not within the bounds of [`Metadata::new`].
    pub(super) fn merged_into(&self, earlier: &str) -> Result<Self, Error> {
        let mut merged = Value::Object(Self::read(earlier));
        merge(&mut merged, Self::read(&self.0).into());
        Self::new(&merged)
    }

    /// Reads the object of a row.
    #[must_use]
    pub fn read(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
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

/// Merges a patch into `target`. Both are nested at most [`MAX_DEPTH`] deep.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            object.remove(&key);
        } else {
            merge(object.entry(key).or_insert(Value::Null), value);
        }
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
    fn patches_are_merged_as_the_examples_of_rfc_7396_say() {
        for (earlier, patch, merged) in [
            (json!({ "a": "b" }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "b" }), json!({ "b": "c" }), json!({ "a": "b", "b": "c" })),
            (json!({ "a": "b" }), json!({ "a": null }), json!({})),
            (json!({ "a": "b", "b": "c" }), json!({ "a": null }), json!({ "b": "c" })),
            (json!({ "a": ["b"] }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "c" }), json!({ "a": ["b"] }), json!({ "a": ["b"] })),
            (
                json!({ "a": { "b": "c" } }),
                json!({ "a": { "b": "d", "c": null } }),
                json!({ "a": { "b": "d" } }),
            ),
            (json!({ "a": [{ "b": "c" }] }), json!({ "a": [1] }), json!({ "a": [1] })),
            (json!({ "e": null }), json!({ "a": 1 }), json!({ "e": null, "a": 1 })),
            (json!({ "a": "foo" }), json!({ "b": [null, {}] }), json!({ "a": "foo", "b": [null, {}] })),
            (json!({}), json!({ "a": { "bb": { "ccc": null } } }), json!({ "a": { "bb": {} } })),
        ] {
            let patch = Metadata::new(&patch).unwrap();
            let result = patch.merged_into(&earlier.to_string()).unwrap();
            assert_eq!(Value::Object(Metadata::read(&result.0)), merged, "{earlier} {patch:?}");
        }
        let half = |key: &str| Metadata::new(&json!({ key: "x".repeat(MAX_BYTES / 2) })).unwrap();
        assert!(half("a").merged_into(half("b").0.as_str()).is_err(), "the result is too large");
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
