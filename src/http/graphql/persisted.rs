//! Documents that requests name instead of sending their text.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use async_graphql::ServerError;
use serde_json::Value;

use super::request::Fields;
use crate::error::Code;
use crate::graphql::guard::{Document, Documents, QueryLimits, hash};

/// The documents that are served when no others are.
#[derive(Debug)]
pub struct TrustedDocuments {
    by_name: HashMap<String, Arc<Document>>,
    texts: HashSet<[u8; 32]>,
}

impl TrustedDocuments {
    /// Reads a file: a JSON object from names to texts, as `relay-compiler` and `graphql-codegen` write it, or
    /// Apollo's manifest of persisted queries.
    ///
    /// # Errors
    /// A sentence for the operator: the file cannot be read, or a document is not valid or too large.
    pub fn read(path: &Path, limits: &QueryLimits) -> Result<Self, String> {
        let wrong = |reason: String| format!("the trusted documents {}: {reason}", path.display());
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let entries = entries(&value).ok_or_else(|| {
            wrong("it must be an object from names to texts, or a manifest with `operations`".to_owned())
        })?;
        let mut trusted = Self { by_name: HashMap::new(), texts: HashSet::new() };
        for (name, text) in entries {
            let document =
                Document::parse(text, limits).map_err(|error| wrong(format!("{name}: {}", error.message)))?;
            trusted.texts.insert(hash(text));
            trusted.by_name.insert(name.to_owned(), Arc::new(document));
        }
        if trusted.by_name.is_empty() {
            return Err(wrong("it has no document".to_owned()));
        }
        Ok(trusted)
    }
}

fn entries(value: &Value) -> Option<Vec<(&str, &str)>> {
    if let Some(operations) = value.get("operations").and_then(Value::as_array) {
        return operations
            .iter()
            .map(|operation| Some((operation.get("id")?.as_str()?, operation.get("body")?.as_str()?)))
            .collect();
    }
    value.as_object()?.iter().map(|(name, text)| Some((name.as_str(), text.as_str()?))).collect()
}

/// The document that `fields` ask for, by text or by name.
///
/// # Errors
/// `PERSISTED_QUERY_NOT_FOUND` and `PERSISTED_QUERY_ONLY` in the words that clients of Apollo's protocol look for,
/// `BAD_USER_INPUT` if text and name differ, and what is wrong with the text.
pub(super) fn document(
    fields: &Fields,
    documents: &Documents,
    trusted: Option<&TrustedDocuments>,
) -> Result<Arc<Document>, ServerError> {
    let not_found = || Code::PersistedQueryNotFound.error("PersistedQueryNotFound");
    if let Some(trusted) = trusted {
        return match (&fields.document, &fields.query) {
            (Some(name), _) => {
                let name = name.strip_prefix("sha256:").unwrap_or(name);
                trusted.by_name.get(name).cloned().ok_or_else(not_found)
            }
            (None, Some(text)) if trusted.texts.contains(&hash(text)) => documents.parse(text),
            _ => Err(Code::PersistedQueryOnly.error("PersistedQueryOnly")),
        };
    }
    match (&fields.query, &fields.document) {
        (Some(text), None) => documents.parse(text),
        (Some(text), Some(name)) if read_hash(name) == Some(hash(text)) => documents.parse(text),
        (Some(_), Some(_)) => {
            Err(Code::BadUserInput.error("The document's name is not the SHA-256 of its text."))
        }
        (None, Some(name)) => read_hash(name).and_then(|hash| documents.by_hash(&hash)).ok_or_else(not_found),
        (None, None) => Err(Code::BadRequest.error("`query` must be a string.")),
    }
}

/// Reads 64 hexadecimal digits.
fn read_hash(text: &str) -> Option<[u8; 32]> {
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}
