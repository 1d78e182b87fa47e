//! A list of documents, which is all that is served.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::cache::hash;
use super::document::Document;
use super::query_limits::QueryLimits;

/// The documents that are served when no others are.
#[derive(Debug)]
pub struct TrustedDocuments {
    pub(super) by_name: HashMap<String, Arc<Document>>,
    pub(super) texts: HashSet<[u8; 32]>,
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
