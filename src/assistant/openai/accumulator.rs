//! Accumulates a provider's events to the deltas of a reply.

use std::collections::VecDeque;

use serde_json::Value;

use super::chunk::{Chunk, Fragment, Piece, ToolCalls};
use super::error::{ProviderError, TryError};
use super::sse::Event;
use super::think::{Split, ThinkSplitter};
use crate::assistant::{Delta, FailureCode, FinishReason, ToolCall, Usage};

/// The most that one reply may hold, in bytes: text, reasoning and tool calls together.
const MAX_REPLY: usize = 4 << 20;

/// How often text, reasoning and tool calls may take turns in one reply.
const MAX_TURNS: usize = 1000;

/// The longest name of a model, in characters.
const MAX_MODEL: usize = 255;

/// One reply as it comes in.
#[derive(Debug, Default)]
pub(super) struct Accumulator {
    model: Model,
    think: ThinkSplitter,
    calls: ToolCalls,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    /// The stream's own end mark has come.
    done: bool,
    /// A token has come, be it reasoning or text.
    has_token: bool,
    /// Text other than white space was sent.
    has_text: bool,
    /// Whether tools were called, and whether the assistant has gone on since.
    tools: Tools,
    /// How many tool calls were sent.
    sent_calls: usize,
    /// What was sent last, and how often that has changed.
    last: Kind,
    turns: usize,
    bytes: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Tools {
    #[default]
    Unused,
    Awaited,
    Answered,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Text,
    Reasoning,
}

#[derive(Debug, Default)]
enum Model {
    #[default]
    Unknown,
    Known(String),
    Sent,
}

impl Accumulator {
    /// A token has come: from now on the provider is not to be asked again.
    pub(super) fn has_started(&self) -> bool {
        self.has_token
    }

    /// The reply is whole; only the tokens used may still come.
    pub(super) fn has_ended(&self) -> bool {
        self.finish.is_some() || self.done
    }

    /// Nothing more will come.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The tokens used, as far as reported.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Takes an event.
    pub(super) fn take_event(&mut self, event: &Event, out: &mut VecDeque<Delta>) -> Result<(), TryError> {
        let data = event.data.trim();
        if event.error {
            return self.check(&ProviderError::from_event(data));
        }
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        if let Some(chunk) = Chunk::of_text(data) {
            return self.take_chunk(chunk, out);
        }
        match serde_json::from_str(data) {
            Ok(value) => self.take_json(&value, out),
            Err(_) if self.has_ended() => Ok(()),
            Err(_) => Err(TryError::unavailable("The assistant sent something that is not a reply.")),
        }
    }

    /// Takes the event that the connection ended with: it may be cut off.
    pub(super) fn take_last_event(
        &mut self,
        event: &Event,
        out: &mut VecDeque<Delta>,
    ) -> Result<(), TryError> {
        let data = event.data.trim();
        let whole =
            event.error || data == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok();
        if whole { self.take_event(event, out) } else { Ok(()) }
    }

    /// Takes a completion that came as one JSON body.
    pub(super) fn take_completion(&mut self, body: &[u8], out: &mut VecDeque<Delta>) -> Result<(), TryError> {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
        // Gemini wraps its errors in a list.
        let value = value.get(0).unwrap_or(&value);
        self.take_json(value, out)?;
        if !Chunk::read(value).choice {
            return Err(TryError::unavailable("The assistant sent something that is not a reply."));
        }
        self.done = true;
        Ok(())
    }

    /// Ends the reply: nothing more comes.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Delta>) -> Result<(), TryError> {
        if !self.has_ended() {
            let message = "The assistant's reply ended before it was complete.";
            return Err(TryError::new(FailureCode::Truncated, true, message).with_retry());
        }
        let held = self.think.finish();
        self.send_split(held, out);
        self.send_model(out);
        let calls = std::mem::take(&mut self.calls).finish();
        self.send_calls(calls, out);
        out.extend(self.usage.map(Delta::Usage));
        let finish = match self.finish.unwrap_or(FinishReason::Stop) {
            // Some give another reason although they wait. Who goes on writing has carried the call out itself.
            FinishReason::Stop | FinishReason::Other
                if self.sent_calls > 0 && self.tools == Tools::Awaited =>
            {
                FinishReason::ToolCalls
            }
            FinishReason::ToolCalls if self.sent_calls == 0 => FinishReason::Stop,
            finish => finish,
        };
        if !self.has_text && finish != FinishReason::ToolCalls {
            return Err(match finish {
                FinishReason::ContentFilter => {
                    let message = "The provider's content filter removed the whole reply.";
                    TryError::new(FailureCode::ContentFiltered, false, message)
                }
                FinishReason::Length => {
                    let message = "The reply reached the provider's token limit before any text; raise the limit or ask for less.";
                    TryError::new(FailureCode::Empty, true, message)
                }
                _ => TryError::new(FailureCode::Empty, true, "The assistant returned no text."),
            });
        }
        out.push_back(Delta::Finish(finish));
        Ok(())
    }

    fn take_json(&mut self, value: &Value, out: &mut VecDeque<Delta>) -> Result<(), TryError> {
        if let Some(error) = ProviderError::find(value) {
            return self.check(&error);
        }
        self.take_chunk(Chunk::read(value), out)
    }

    fn take_chunk(&mut self, chunk: Chunk, out: &mut VecDeque<Delta>) -> Result<(), TryError> {
        self.has_token |= chunk.has_token();
        if let (Model::Unknown, Some(model)) = (&self.model, chunk.model) {
            self.model = Model::Known(model.chars().filter(|c| *c != '\0').take(MAX_MODEL).collect());
        }
        self.usage = chunk.usage.or(self.usage);
        let added: usize = chunk.fragments.iter().map(Fragment::bytes).sum();
        self.bytes += chunk.pieces.iter().map(Piece::len).sum::<usize>() + added;
        if self.bytes > MAX_REPLY {
            let message = "The reply exceeded 4 MiB and was cut off.";
            return Err(TryError::new(FailureCode::Truncated, false, message));
        }
        for piece in chunk.pieces {
            match piece {
                Piece::Reasoning(text) => self.send_reasoning(text, out),
                Piece::Text(text) => {
                    let split = self.think.push(&text);
                    self.send_split(split, out);
                }
            }
            if self.turns > MAX_TURNS {
                let message = "The reply exceeded 1,000 parts and was cut off.";
                return Err(TryError::new(FailureCode::Truncated, false, message));
            }
        }
        for fragment in chunk.fragments {
            self.tools = Tools::Awaited;
            self.calls.add(fragment);
        }
        if let Some(reason) = chunk.finish {
            self.finish = Some(parse_finish_reason(&reason)?);
        }
        Ok(())
    }

    /// An error after the end spoils nothing.
    fn check(&self, error: &ProviderError) -> Result<(), TryError> {
        if self.has_ended() { Ok(()) } else { Err(error.to_try_error()) }
    }

    fn send_split(&mut self, split: Split, out: &mut VecDeque<Delta>) {
        self.send_reasoning(split.reasoning, out);
        self.send_text(split.answer, out);
    }

    fn send_text(&mut self, mut text: String, out: &mut VecDeque<Delta>) {
        text.retain(|c| c != '\0');
        if text.is_empty() {
            return;
        }
        if !text.trim().is_empty() {
            self.has_text = true;
            if self.tools == Tools::Awaited {
                self.tools = Tools::Answered;
            }
        }
        self.begin_piece(Kind::Text, &text, out);
        out.push_back(Delta::Text(text));
    }

    fn send_reasoning(&mut self, mut text: String, out: &mut VecDeque<Delta>) {
        text.retain(|c| c != '\0');
        if !text.is_empty() {
            self.begin_piece(Kind::Reasoning, &text, out);
            out.push_back(Delta::Reasoning(text));
        }
    }

    /// Sends what comes before a piece of text or reasoning.
    fn begin_piece(&mut self, kind: Kind, text: &str, out: &mut VecDeque<Delta>) {
        self.turns += usize::from(self.last != kind);
        self.last = kind;
        self.send_model(out);
        if !text.trim().is_empty() {
            let calls = self.calls.take_whole();
            self.send_calls(calls, out);
        }
    }

    fn send_calls(&mut self, calls: Vec<ToolCall>, out: &mut VecDeque<Delta>) {
        self.sent_calls += calls.len();
        self.turns += calls.len();
        out.extend(calls.into_iter().map(Delta::ToolCall));
    }

    fn send_model(&mut self, out: &mut VecDeque<Delta>) {
        if let Model::Known(model) = &mut self.model {
            out.push_back(Delta::Model(std::mem::take(model)));
            self.model = Model::Sent;
        }
    }
}

/// Reads a finish reason; some are failures.
fn parse_finish_reason(reason: &str) -> Result<FinishReason, TryError> {
    match reason {
        "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" => Ok(FinishReason::Stop),
        "length" | "max_tokens" => Ok(FinishReason::Length),
        "tool_calls" | "function_call" | "tool_use" => Ok(FinishReason::ToolCalls),
        "content_filter" => Ok(FinishReason::ContentFilter),
        "error" | "insufficient_system_resource" => {
            Err(TryError::unavailable("The assistant stopped with an error."))
        }
        _ => Ok(FinishReason::Other),
    }
}
