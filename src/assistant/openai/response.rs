//! Reads one response of a provider, within the deadlines.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, Sleep, sleep_until};

use super::accumulator::Accumulator;
use super::error::TryError;
use super::options::Options;
use super::sse;
use crate::assistant::{Delta, FailureCode};

/// The longest whole completion in one JSON body, in bytes.
const MAX_BODY: usize = 8 << 20;

/// After the end of the text: the longest wait for the tokens used.
const USAGE_WAIT: Duration = Duration::from_secs(5);

/// A response that is being read.
#[derive(Debug)]
pub(super) struct ResponseReader {
    response: Response,
    body: Body,
    pub(super) reply: Accumulator,
    deadlines: Deadlines,
    /// Ends when a deadline may have passed. It is not moved for each piece.
    timer: Pin<Box<Sleep>>,
}

/// What the body turns out to be. Its first character tells it more surely than its declared type.
#[derive(Debug)]
enum Body {
    /// Nothing but white space has come.
    Unknown,
    Events(sse::Reader),
    Json(Vec<u8>),
}

impl ResponseReader {
    /// Starts to read `response`, whose first token is due at `first_token`.
    pub(super) fn new(response: Response, first_token: Instant, total: Instant) -> Self {
        let now = Instant::now();
        let deadlines = Deadlines { first_token, total, byte: now, event: now, end: None };
        let timer = Box::pin(sleep_until(first_token));
        Self { response, body: Body::Unknown, reply: Accumulator::default(), deadlines, timer }
    }

    /// Reads on until something has come; `true` at the end of the reply.
    pub(super) async fn read(
        &mut self,
        options: &Options,
        out: &mut VecDeque<Delta>,
    ) -> Result<bool, TryError> {
        let (deadline, timeout) = self.deadlines.next(&self.reply, options);
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        let chunk = {
            let mut chunk = std::pin::pin!(self.response.chunk());
            loop {
                tokio::select! {
                    biased;
                    chunk = &mut chunk => break Some(chunk),
                    () = &mut self.timer => {
                        if Instant::now() >= deadline {
                            break None;
                        }
                        self.timer.as_mut().reset(deadline);
                    }
                }
            }
        };
        match chunk {
            Some(Ok(Some(bytes))) => self.receive(&bytes, out)?,
            Some(Ok(None)) => return self.close(out),
            Some(Err(error)) => {
                tracing::debug!(error = %error.without_url(), "the assistant's connection broke");
                return self.close(out);
            }
            None if self.reply.has_ended() => return self.close(out),
            None => return Err(timeout.error(options)),
        }
        if self.reply.is_done() { self.close(out) } else { Ok(false) }
    }

    fn receive(&mut self, bytes: &Bytes, out: &mut VecDeque<Delta>) -> Result<(), TryError> {
        self.deadlines.byte = Instant::now();
        if matches!(self.body, Body::Unknown) {
            self.body = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => return Ok(()),
                Some(b'{' | b'[') => Body::Json(Vec::new()),
                Some(b'<') => {
                    let message = "The assistant's address answered with a web page.";
                    return Err(TryError::new(FailureCode::AssistantRejected, false, message));
                }
                Some(_) => Body::Events(sse::Reader::default()),
            };
        }
        match &mut self.body {
            Body::Events(reader) => {
                let mut events = Vec::new();
                let read = reader.feed(bytes, &mut events);
                if !events.is_empty() {
                    self.deadlines.event = Instant::now();
                }
                for event in &events {
                    self.reply.take_event(event, out)?;
                }
                read.map_err(|_| too_long())?;
            }
            Body::Json(body) if body.len() + bytes.len() > MAX_BODY => return Err(too_long()),
            Body::Json(body) => body.extend_from_slice(bytes),
            Body::Unknown => {}
        }
        if self.reply.has_ended() {
            self.deadlines.end.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Takes the end of the response, be it good or bad.
    fn close(&mut self, out: &mut VecDeque<Delta>) -> Result<bool, TryError> {
        match &mut self.body {
            Body::Events(reader) => {
                let mut events = Vec::new();
                reader.finish(&mut events).map_err(|_| too_long())?;
                for event in &events {
                    self.reply.take_last_event(event, out)?;
                }
            }
            Body::Json(body) => self.reply.take_completion(body, out)?,
            Body::Unknown => {}
        }
        self.reply.finish(out)?;
        Ok(true)
    }
}

fn too_long() -> TryError {
    TryError::new(
        FailureCode::AssistantUnavailable,
        false,
        "The assistant sent a line or an event that is too large.",
    )
}

/// When things last happened, and what deadlines follow.
#[derive(Debug)]
struct Deadlines {
    first_token: Instant,
    total: Instant,
    byte: Instant,
    event: Instant,
    /// When the text ended.
    end: Option<Instant>,
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timeout {
    FirstToken,
    Idle,
    Silent,
    Total,
}

impl Deadlines {
    /// The next deadline: until then something must come.
    fn next(&self, reply: &Accumulator, options: &Options) -> (Instant, Timeout) {
        let total = (self.total, Timeout::Total);
        let next = if let Some(end) = self.end {
            (end + USAGE_WAIT.min(options.next_token_timeout), Timeout::Idle)
        } else if reply.has_started() {
            let idle = (self.byte + options.next_token_timeout, Timeout::Idle);
            let silent = (self.event + options.event_timeout, Timeout::Silent);
            if idle.0 < silent.0 { idle } else { silent }
        } else {
            (self.first_token, Timeout::FirstToken)
        };
        if next.0 < total.0 { next } else { total }
    }
}

impl Timeout {
    pub(super) fn error(self, options: &Options) -> TryError {
        let (what, limit) = match self {
            Self::FirstToken => ("did not begin to answer within", options.first_token_timeout),
            Self::Idle => ("sent nothing more for", options.next_token_timeout),
            Self::Silent => ("sent no event for", options.event_timeout),
            Self::Total => ("did not finish within", options.total_timeout),
        };
        let message = format!("The assistant {what} {}.", humantime::format_duration(limit));
        TryError::new(FailureCode::AssistantTimeout, true, message)
    }
}
