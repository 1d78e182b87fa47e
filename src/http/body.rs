//! Reading a body that is neither too long nor too slow.

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use tokio::time::timeout;

use super::limits::Limits;
use super::problem::problem;

/// Reads a whole body. The error is the answer: 413 or 408.
pub(super) async fn read(body: Body, limits: &Limits) -> Result<Bytes, Response> {
    match timeout(limits.body_time, to_bytes(body, limits.body_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let message =
                format!("The body must have at most {} bytes, and must not break off.", limits.body_bytes);
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", &message))
        }
        Err(_) => {
            Err(problem(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "The body took too long to arrive."))
        }
    }
}
