//! One attempt at a reply: a request, retries while nothing has come, then the response.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::error::{ProviderError, Retry, TryError};
use super::response::{ResponseReader, Timeout};
use super::{Upstream, retry};
use crate::assistant::{Delta, Failure};

/// The most that is read of an error's body, in bytes, and the longest that reading it may take.
const MAX_ERROR_BODY: usize = 64 << 10;
const ERROR_TIMEOUT: Duration = Duration::from_secs(5);

/// Prompts below this many tokens are too short to tell whether they were cut.
const MIN_COMPARED: u64 = 1000;

/// Everything that one attempt owns: dropping it closes its connection.
pub(super) struct Attempt {
    upstream: Arc<Upstream>,
    request: Bytes,
    /// What the prompt costs at the very least, in tokens.
    prompt_tokens: u64,
    /// When the attempt must be over.
    total: Instant,
    retries: u32,
    state: State,
    /// Deltas that are not yet taken.
    ready: VecDeque<Delta>,
}

enum State {
    Sending,
    Reading(Box<ResponseReader>),
    Failed(Failure),
    Done,
}

impl Attempt {
    pub(super) fn new(upstream: Arc<Upstream>, request: Bytes, prompt_tokens: u64) -> Self {
        let total = Instant::now() + upstream.options.total_timeout;
        Self {
            upstream,
            request,
            prompt_tokens,
            total,
            retries: 0,
            state: State::Sending,
            ready: VecDeque::new(),
        }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Delta, Failure>> {
        let next = |mut attempt: Self| async move { Some((attempt.next().await?, attempt)) };
        stream::unfold(self, next).fuse().boxed()
    }

    async fn next(&mut self) -> Option<Result<Delta, Failure>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Some(Ok(delta));
            }
            let advanced = match &mut self.state {
                State::Sending => self.send().await,
                State::Reading(response) => {
                    match response.read(&self.upstream.options, &mut self.ready).await {
                        Ok(false) => Ok(()),
                        Ok(true) => {
                            warn_if_truncated(self.prompt_tokens, response);
                            self.state = State::Done;
                            Ok(())
                        }
                        Err(error) => Err(error),
                    }
                }
                State::Failed(failure) => {
                    let failure = failure.clone();
                    self.state = State::Done;
                    return Some(Err(failure));
                }
                State::Done => return None,
            };
            if let Err(error) = advanced {
                self.retry_or_fail(error).await;
            }
        }
    }

    /// Sends the request.
    async fn send(&mut self) -> Result<(), TryError> {
        let options = &self.upstream.options;
        let first_token = Instant::now() + options.first_token_timeout;
        let (deadline, timeout) = if first_token < self.total {
            (first_token, Timeout::FirstToken)
        } else {
            (self.total, Timeout::Total)
        };
        let sent = timeout_at(deadline, self.upstream.send(self.request.clone())).await;
        let response = sent.map_err(|_| timeout.error(options))?.map_err(|error| {
            tracing::debug!(error = ?error.without_url(), "the assistant could not be reached");
            TryError::unavailable("The assistant could not be reached.")
        })?;
        if !response.status().is_success() {
            return Err(self.read_error(response).await);
        }
        self.state = State::Reading(Box::new(ResponseReader::new(response, first_token, self.total)));
        Ok(())
    }

    /// Reads a response that is an error.
    async fn read_error(&self, mut response: Response) -> TryError {
        let status = response.status().as_u16();
        let pause = retry::asked(response.headers(), Utc::now());
        let deadline = self.total.min(Instant::now() + ERROR_TIMEOUT);
        let mut body = Vec::new();
        // The status alone will do if the body breaks off or does not end.
        while let Ok(Ok(Some(bytes))) = timeout_at(deadline, response.chunk()).await {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_ERROR_BODY {
                break;
            }
        }
        let mut error = ProviderError::from_response(status, &body).to_try_error();
        if let Retry::After(asked) = &mut error.retry {
            *asked = pause;
        }
        error
    }

    /// Pauses before another try, or gives up.
    async fn retry_or_fail(&mut self, error: TryError) {
        if let Some(details) = error.details {
            let code = error.failure.code;
            tracing::debug!(
                ?code,
                details = self.upstream.excerpt(&details),
                "the assistant's provider reported an error"
            );
        }
        let started = matches!(&self.state, State::Reading(response) if response.reply.has_started());
        // Closes the connection, whatever comes next.
        self.state = State::Failed(error.failure);
        let options = &self.upstream.options;
        let Retry::After(asked) = error.retry else { return };
        let pause = match asked {
            Some(asked) if asked > options.max_retry_after => return,
            Some(asked) => retry::spread(asked),
            None => retry::delay(options.retry_delay, self.retries),
        };
        if started || self.retries >= options.max_retries || Instant::now() + pause >= self.total {
            return;
        }
        self.retries += 1;
        tokio::time::sleep(pause).await;
        self.ready.clear();
        self.state = State::Sending;
    }
}

/// Some servers, such as Ollama, silently shorten a prompt that is longer than their context window.
fn warn_if_truncated(prompt_tokens: u64, response: &ResponseReader) {
    let read = response.reply.usage().and_then(|usage| {
        usage.input_tokens.map(|tokens| tokens.saturating_add(usage.cached_input_tokens.unwrap_or(0)))
    });
    if let Some(read) = read.filter(|read| prompt_tokens >= MIN_COMPARED && *read < prompt_tokens) {
        tracing::warn!(
            read,
            sent = prompt_tokens,
            "the assistant read fewer tokens than it was sent: its context window is smaller than the prompt"
        );
    }
}
