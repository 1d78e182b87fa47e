//! Reading a GraphQL request out of what a transport brings.

use async_graphql::Variables;
use serde_json::{Map, Value};

use crate::admission::values;

/// A request as the client wrote it.
#[derive(Default)]
pub(super) struct Fields {
    /// The text of the document.
    pub(super) query: Option<String>,
    /// The name of a document that the server knows: the SHA-256 of its text, or as its list of trusted documents
    /// names it.
    pub(super) document: Option<String>,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
    /// How many bytes the request had as it was sent.
    pub(super) bytes: usize,
}

impl Fields {
    /// Reads the body of a POST. The error is a sentence for the client.
    pub(super) fn from_body(bytes: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Self::from_object(fields, bytes.len()),
            Ok(Value::Array(_)) => Err("Send one request at a time: arrays are not accepted.".to_owned()),
            Ok(_) => Err("The body must be a JSON object.".to_owned()),
            Err(_) => Err("The body is not valid JSON.".to_owned()),
        }
    }

    /// Reads the query string of a GET. The error is a sentence for the client.
    pub(super) fn from_query(query: &str) -> Result<Self, String> {
        let mut fields = Map::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            // `operationName=` is as if it was left out, says GraphQL over HTTP.
            if name == "operationName" && value.is_empty() {
                continue;
            }
            let value = match &*name {
                "query" | "operationName" | "documentId" => Value::String(value.into_owned()),
                "variables" | "extensions" => {
                    if values::are_too_many(value.as_bytes()) {
                        return Err(format!("`{name}` has more than 10,000 JSON values; send fewer."));
                    }
                    serde_json::from_str(&value).map_err(|_| format!("`{name}` is not valid JSON."))?
                }
                _ => continue,
            };
            if fields.insert(name.to_string(), value).is_some() {
                return Err(format!("`{name}` is given twice."));
            }
        }
        Self::from_object(fields, query.len())
    }

    /// Reads a JSON object that had this many bytes. The error is a sentence for the client.
    pub(super) fn from_object(mut object: Map<String, Value>, bytes: usize) -> Result<Self, String> {
        let mut text = |name: &str| match object.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` must be a string.")),
        };
        let (query, operation_name) = (text("query")?, text("operationName")?);
        let document = text("documentId")?;
        let variables = match object.remove("variables") {
            None | Some(Value::Null) => Variables::default(),
            Some(variables @ Value::Object(_)) => Variables::from_json(variables),
            Some(_) => return Err("`variables` must be an object or null.".to_owned()),
        };
        let document = match object.remove("extensions") {
            None | Some(Value::Null) => document,
            Some(Value::Object(extensions)) => persisted(&extensions)?.or(document),
            Some(_) => return Err("`extensions` must be an object or null.".to_owned()),
        };
        if query.is_none() && document.is_none() {
            return Err("`query` must be a string.".to_owned());
        }
        Ok(Self { query, document, operation_name, variables, bytes })
    }
}

/// The name of the document by the protocol of automatic persisted queries.
fn persisted(extensions: &Map<String, Value>) -> Result<Option<String>, String> {
    let Some(persisted) = extensions.get("persistedQuery") else { return Ok(None) };
    match (persisted.get("version").and_then(Value::as_u64), persisted.get("sha256Hash")) {
        (Some(1), Some(Value::String(hash))) => Ok(Some(hash.clone())),
        _ => Err("`persistedQuery` must have `version`, 1, and `sha256Hash`, a string.".to_owned()),
    }
}
