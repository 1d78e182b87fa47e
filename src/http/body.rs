//! Reading a body that is neither too long nor too slow.

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::TryStreamExt;
use tokio::time::timeout;

use super::limits::Limits;
use super::problem::problem;
use crate::memory::Share;

/// Reads a whole body, whose bytes are taken out of `share`. The error is the answer: 413, 408, or what the share says.
pub(super) async fn read(body: Body, limits: &Limits, share: &Share) -> Result<BytesMut, Response> {
    timeout(limits.body_time, collect(body, limits.body_bytes, share)).await.unwrap_or_else(|_| {
        Err(problem(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "The body took too long to arrive."))
    })
}

async fn collect(body: Body, maximum: usize, share: &Share) -> Result<BytesMut, Response> {
    let refusal = || {
        let message = format!("The body must have at most {maximum} bytes, and must not break off.");
        problem(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", &message)
    };
    // What says that it is too long is not even begun.
    if body.size_hint().lower() > maximum as u64 {
        return Err(refusal());
    }
    let (mut chunks, mut bytes) = (body.into_data_stream(), BytesMut::new());
    while let Some(chunk) = chunks.try_next().await.map_err(|_| refusal())? {
        if chunk.len() > maximum - bytes.len() {
            return Err(refusal());
        }
        share.take(chunk.len()).map_err(IntoResponse::into_response)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
