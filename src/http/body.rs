//! Reading a body that is neither too long nor too slow, and not more than its address may send.

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::TryStreamExt;
use tokio::time::timeout;

use super::App;
use super::address::Client;
use super::problem::problem;
use crate::admission::values;
use crate::error::Code;
use crate::memory::MemoryBudget;

/// Reads a whole JSON body of `client`'s, whose bytes are taken out of `budget`. The error is the answer: 413, 408, 429,
/// 400, or what the budget says.
pub(super) async fn read(
    body: Body,
    app: &App,
    client: Client,
    budget: &MemoryBudget,
) -> Result<BytesMut, Response> {
    let bytes = timeout(app.0.options.limits.body_timeout, collect(body, app, client, budget));
    let bytes = bytes.await.unwrap_or_else(|_| {
        Err(problem(Code::RequestTimeout, "The body did not arrive in time; send it again."))
    })?;
    if values::are_too_many(&bytes) {
        return Err(problem(Code::BadRequest, "The body has more than 10,000 JSON values; send fewer."));
    }
    Ok(bytes)
}

async fn collect(body: Body, app: &App, client: Client, budget: &MemoryBudget) -> Result<BytesMut, Response> {
    let maximum = app.0.options.limits.body_bytes;
    let too_long = || {
        let message = format!("The body must have at most {maximum} bytes.");
        problem(Code::PayloadTooLarge, &message)
    };
    let broken = |_| {
        let message = "The body ended early, or its chunked encoding is invalid.";
        problem(Code::BadRequest, message)
    };
    // What says that it is too long, or for which it is too early, is not even begun.
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > maximum {
        return Err(too_long());
    }
    let mut charge = app.0.admission.rates.body(client.0);
    charge.grow(expected).map_err(IntoResponse::into_response)?;
    let (mut chunks, mut bytes) = (body.into_data_stream(), BytesMut::new());
    while let Some(chunk) = chunks.try_next().await.map_err(broken)? {
        if chunk.len() > maximum - bytes.len() {
            return Err(too_long());
        }
        charge.grow(bytes.len() + chunk.len()).map_err(IntoResponse::into_response)?;
        budget.take(chunk.len()).map_err(IntoResponse::into_response)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
