//! One attempt at a reply: a request, further tries while nothing has come, then the answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Late};
use super::failure::Report;
use super::failure::{Fault, Retry};
use super::{Upstream, retry};
use crate::assistant::{Delta, Failure};

/// The most that is read of an error's body, in bytes, and the longest that reading it may take.
const MAX_ERROR: usize = 64 << 10;
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
    /// Steps that are known and not yet taken.
    ready: VecDeque<Delta>,
}

enum State {
    Ask,
    Read(Box<Answer>),
    Fail(Failure),
    Over,
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
            state: State::Ask,
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
                State::Ask => self.ask().await,
                State::Read(answer) => match answer.read(&self.upstream.options, &mut self.ready).await {
                    Ok(false) => Ok(()),
                    Ok(true) => {
                        warn_if_cut(self.prompt_tokens, answer);
                        self.state = State::Over;
                        Ok(())
                    }
                    Err(fault) => Err(fault),
                },
                State::Fail(failure) => {
                    let failure = failure.clone();
                    self.state = State::Over;
                    return Some(Err(failure));
                }
                State::Over => return None,
            };
            if let Err(fault) = advanced {
                self.fail(fault).await;
            }
        }
    }

    /// Sends the request.
    async fn ask(&mut self) -> Result<(), Fault> {
        let options = &self.upstream.options;
        let first_token = Instant::now() + options.first_token_timeout;
        let (deadline, late) = if first_token < self.total {
            (first_token, Late::FirstToken)
        } else {
            (self.total, Late::Total)
        };
        let sent = timeout_at(deadline, self.upstream.send(self.request.clone())).await;
        let response = sent.map_err(|_| late.fault(options))?.map_err(|error| {
            tracing::debug!(error = ?error.without_url(), "the assistant could not be reached");
            Fault::unavailable("The assistant could not be reached.")
        })?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        self.state = State::Read(Box::new(Answer::new(response, first_token, self.total)));
        Ok(())
    }

    /// Reads an answer that is an error.
    async fn refused(&self, mut response: Response) -> Fault {
        let status = response.status().as_u16();
        let pause = retry::asked(response.headers(), Utc::now());
        let deadline = self.total.min(Instant::now() + ERROR_TIMEOUT);
        let mut body = Vec::new();
        // The status alone will do if the body breaks off or does not end.
        while let Ok(Ok(Some(bytes))) = timeout_at(deadline, response.chunk()).await {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_ERROR {
                break;
            }
        }
        let mut fault = Report::of_answer(status, &body).fault();
        if let Retry::After(asked) = &mut fault.retry {
            *asked = pause;
        }
        fault
    }

    /// Pauses before another try, or gives up.
    async fn fail(&mut self, fault: Fault) {
        if let Some(said) = fault.said {
            let code = fault.failure.code;
            tracing::debug!(
                ?code,
                said = self.upstream.excerpt(&said),
                "the assistant's provider reported an error"
            );
        }
        let begun = matches!(&self.state, State::Read(answer) if answer.assembly.has_begun());
        // Closes the connection, whatever comes next.
        self.state = State::Fail(fault.failure);
        let options = &self.upstream.options;
        let Retry::After(asked) = fault.retry else { return };
        let pause = match asked {
            Some(asked) if asked > options.max_retry_after => return,
            Some(asked) => retry::spread(asked),
            None => retry::delay(options.retry_delay, self.retries),
        };
        if begun || self.retries >= options.max_retries || Instant::now() + pause >= self.total {
            return;
        }
        self.retries += 1;
        tokio::time::sleep(pause).await;
        self.ready.clear();
        self.state = State::Ask;
    }
}

/// Some servers, such as Ollama, silently shorten a prompt that is longer than their context window.
fn warn_if_cut(prompt_tokens: u64, answer: &Answer) {
    let read = answer.assembly.usage().and_then(|usage| {
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
