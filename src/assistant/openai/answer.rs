//! Reads one answer of a provider, and keeps an eye on the clock.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::assembly::Assembly;
use super::failure::Fault;
use super::options::Options;
use super::sse;
use crate::assistant::{Delta, FailureCode};

/// The longest whole completion in one JSON body, in bytes.
const MAX_BODY: usize = 8 << 20;

/// After the end of the text: the longest wait for the tokens used.
const LINGER: Duration = Duration::from_secs(5);

/// An answer that is being read.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    body: Body,
    pub(super) assembly: Assembly,
    clock: Clock,
}

/// What the body turns out to be. Its first character tells it more surely than its declared type.
#[derive(Debug)]
enum Body {
    /// Nothing but white space has come.
    Unknown,
    Events(sse::Reader),
    Json(Vec<u8>),
}

impl Answer {
    /// Starts to read `response`, whose first token is due at `first_token`.
    pub(super) fn new(response: Response, first_token: Instant, total: Instant) -> Self {
        let now = Instant::now();
        let clock = Clock { first_token, total, byte: now, event: now, end: None };
        Self { response, body: Body::Unknown, assembly: Assembly::default(), clock }
    }

    /// Reads on until something has come; `true` at the end of the reply.
    pub(super) async fn read(&mut self, options: &Options, out: &mut VecDeque<Delta>) -> Result<bool, Fault> {
        let (deadline, late) = self.clock.deadline(&self.assembly, options);
        match timeout_at(deadline, self.response.chunk()).await {
            Ok(Ok(Some(bytes))) => self.take(&bytes, out)?,
            Ok(Ok(None)) => return self.close(out),
            Ok(Err(error)) => {
                tracing::debug!(error = %error.without_url(), "the assistant's connection broke");
                return self.close(out);
            }
            Err(_) if self.assembly.has_ended() => return self.close(out),
            Err(_) => return Err(late.fault(options)),
        }
        if self.assembly.is_done() { self.close(out) } else { Ok(false) }
    }

    fn take(&mut self, bytes: &Bytes, out: &mut VecDeque<Delta>) -> Result<(), Fault> {
        self.clock.byte = Instant::now();
        if matches!(self.body, Body::Unknown) {
            self.body = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => return Ok(()),
                Some(b'{' | b'[') => Body::Json(Vec::new()),
                Some(b'<') => {
                    let message = "The assistant's address answered with a web page.";
                    return Err(Fault::new(FailureCode::AssistantRejected, false, message));
                }
                Some(_) => Body::Events(sse::Reader::default()),
            };
        }
        match &mut self.body {
            Body::Events(reader) => {
                let mut events = Vec::new();
                let read = reader.feed(bytes, &mut events);
                if !events.is_empty() {
                    self.clock.event = Instant::now();
                }
                for event in &events {
                    self.assembly.event(event, out)?;
                }
                read.map_err(|_| too_long())?;
            }
            Body::Json(body) if body.len() + bytes.len() > MAX_BODY => return Err(too_long()),
            Body::Json(body) => body.extend_from_slice(bytes),
            Body::Unknown => {}
        }
        if self.assembly.has_ended() {
            self.clock.end.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Takes the end of the answer, be it good or bad.
    fn close(&mut self, out: &mut VecDeque<Delta>) -> Result<bool, Fault> {
        match &mut self.body {
            Body::Events(reader) => {
                let mut events = Vec::new();
                reader.finish(&mut events).map_err(|_| too_long())?;
                for event in &events {
                    self.assembly.last_event(event, out)?;
                }
            }
            Body::Json(body) => self.assembly.whole(body, out)?,
            Body::Unknown => {}
        }
        self.assembly.end(out)?;
        Ok(true)
    }
}

fn too_long() -> Fault {
    Fault::new(
        FailureCode::AssistantUnavailable,
        false,
        "The assistant sent more at once than a reply can hold.",
    )
}

/// When things last happened, and when others are due.
#[derive(Debug)]
struct Clock {
    first_token: Instant,
    total: Instant,
    byte: Instant,
    event: Instant,
    /// When the text ended.
    end: Option<Instant>,
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Late {
    FirstToken,
    Idle,
    Silent,
    Total,
}

impl Clock {
    /// The next deadline: until then something has to come.
    fn deadline(&self, assembly: &Assembly, options: &Options) -> (Instant, Late) {
        let total = (self.total, Late::Total);
        let next = if let Some(end) = self.end {
            (end + LINGER.min(options.idle_timeout), Late::Idle)
        } else if assembly.has_begun() {
            let idle = (self.byte + options.idle_timeout, Late::Idle);
            let silent = (self.event + options.silence_timeout, Late::Silent);
            if idle.0 < silent.0 { idle } else { silent }
        } else {
            (self.first_token, Late::FirstToken)
        };
        if next.0 < total.0 { next } else { total }
    }
}

impl Late {
    pub(super) fn fault(self, options: &Options) -> Fault {
        let (what, limit) = match self {
            Self::FirstToken => ("did not begin to answer within", options.first_token_timeout),
            Self::Idle => ("fell silent for", options.idle_timeout),
            Self::Silent => ("wrote nothing for", options.silence_timeout),
            Self::Total => ("did not finish within", options.total_timeout),
        };
        let message = format!("The assistant {what} {}.", humantime::format_duration(limit));
        Fault::new(FailureCode::AssistantTimeout, true, message)
    }
}
