//! Any provider with an OpenAI-compatible `/chat/completions`.
//!
//! Providers agree on the outline and differ in everything else, so this client asks for little and forgives
//! much: see `sse` for the framing, `chunk` for the fields and for tool calls in fragments, `text_chunk` for the usual
//! chunk, `think` for inline reasoning, `accumulator` for where a reply ends, and `error` for what went wrong.

mod accumulator;
mod attempt;
mod chunk;
mod endpoint;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod options;
mod request;
mod response;
mod retry;
mod sse;
mod text_chunk;
mod think;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response};

use self::attempt::Attempt;
use self::endpoint::Endpoint;
use self::error::TryError;
pub use self::options::{MaxTokensField, Options, SystemRole};
use super::{Assistant, Delta, Failure, FailureCode, Prompt, estimate};
use crate::outbound;

/// An assistant behind an OpenAI-compatible `/chat/completions`.
///
/// Replies are always streamed. Reasoning comes in fields of its own or as `<think>` at the start of the text. A dropped
/// stream closes its connection at once, which is how providers are told to stop.
#[derive(Clone)]
pub struct OpenAi {
    upstream: Arc<Upstream>,
}

/// The provider, and how to call it.
struct Upstream {
    client: Client,
    endpoint: Endpoint,
    headers: HeaderMap,
    options: Options,
}

impl OpenAi {
    /// An assistant that calls a provider as `options` say. It connects to nobody yet.
    ///
    /// The first call in a process makes `ring` the process's provider of cryptography, unless there is one.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong with the options, without the key or the address.
    pub fn new(options: Options) -> Result<Self, String> {
        let endpoint = Endpoint::parse(&options.url, options.allow_plaintext)?;
        if options.model.trim().is_empty() {
            return Err("the assistant's model is not set".to_owned());
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        if let Some(key) = options.key.as_deref().map(str::trim).filter(|key| !key.is_empty()) {
            let mut value = HeaderValue::try_from(format!("Bearer {key}"))
                .map_err(|_| "the assistant's key holds characters that a header cannot carry".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = client(&endpoint, &options).map_err(|error| {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            format!("the assistant's HTTP client cannot be built: {cause}")
        })?;
        let options = options.bounded();
        Ok(Self { upstream: Arc::new(Upstream { client, endpoint, headers, options }) })
    }
}

impl Assistant for OpenAi {
    fn reply(&self, prompt: Prompt) -> BoxStream<'static, Result<Delta, Failure>> {
        let prompt_tokens = prompt.turns.iter().map(|turn| estimate::minimum_tokens(&turn.content)).sum();
        let Ok(body) = request::body(&self.upstream.options, &prompt) else {
            let message = "The conversation cannot be written as a request.";
            let error = TryError::new(FailureCode::AssistantRejected, false, message);
            return stream::iter([Err(error.failure)]).boxed();
        };
        Attempt::new(self.upstream.clone(), Bytes::from(body), prompt_tokens).into_stream()
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("options", &self.upstream.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Upstream {
    async fn send(&self, body: Bytes) -> reqwest::Result<Response> {
        self.client.post(self.endpoint.url.clone()).headers(self.headers.clone()).body(body).send().await
    }

    /// The beginning of what a provider reports, without the key: some repeat it.
    fn excerpt(&self, details: &str) -> String {
        let details = match self.options.key.as_deref().map(str::trim) {
            Some(key) if !key.is_empty() => details.replace(key, "[redacted]"),
            _ => details.to_owned(),
        };
        details.chars().take(200).collect()
    }
}

/// A client that calls the provider alone.
fn client(endpoint: &Endpoint, options: &Options) -> reqwest::Result<Client> {
    outbound::client(&endpoint.url)
        .connect_timeout(options.connect_timeout)
        // Notices a dead peer during the long wait for the first token.
        .tcp_keepalive(Duration::from_secs(30))
        .build()
}
