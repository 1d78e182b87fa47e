//! Reading a GraphQL request out of an HTTP request.

use async_graphql::{Request, Variables};
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use crate::http::problem::problem;

/// How many bytes a body may have.
const BODY_BYTES: usize = 1024 * 1024;

/// Reads a request from the body of a POST.
pub(super) async fn from_body(body: Body) -> Result<Request, Response> {
    let bytes = to_bytes(body, BODY_BYTES).await.map_err(|_| {
        let message = format!("The body has more than {BODY_BYTES} bytes, or broke off.");
        problem(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", &message)
    })?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(fields)) => from_fields(fields),
        Ok(Value::Array(_)) => Err(malformed("Send one request at a time: arrays are not accepted.")),
        Ok(_) => Err(malformed("The body must be a JSON object.")),
        Err(_) => Err(malformed("The body is not valid JSON.")),
    }
}

/// Reads a request from the query string of a GET.
pub(super) fn from_query(query: &str) -> Result<Request, Response> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" => Value::String(value.into_owned()),
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|_| malformed(&format!("`{name}` is not valid JSON.")))?,
            _ => continue,
        };
        if fields.insert(name.to_string(), value).is_some() {
            return Err(malformed(&format!("`{name}` is given twice.")));
        }
    }
    from_fields(fields)
}

fn from_fields(mut fields: Map<String, Value>) -> Result<Request, Response> {
    let Some(Value::String(query)) = fields.remove("query") else {
        return Err(malformed("`query` must be a string."));
    };
    let mut request = Request::new(query);
    match fields.remove("operationName") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => request = request.operation_name(name),
        Some(_) => return Err(malformed("`operationName` must be a string or null.")),
    }
    match fields.remove("variables") {
        None | Some(Value::Null) => {}
        Some(variables @ Value::Object(_)) => request = request.variables(Variables::from_json(variables)),
        Some(_) => return Err(malformed("`variables` must be an object or null.")),
    }
    match fields.remove("extensions") {
        None | Some(Value::Null | Value::Object(_)) => Ok(request),
        Some(_) => Err(malformed("`extensions` must be an object or null.")),
    }
}

fn malformed(message: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
}
