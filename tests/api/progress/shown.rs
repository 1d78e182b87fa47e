//! What a reader shows of a reply.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;

/// What a reader has.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Kind and text of each part; of a tool call its id and the provider's.
    parts: Vec<(String, String)>,
    pub(super) cursor: Option<String>,
    has_started: bool,
}

impl Shown {
    fn push_call(&mut self, call: &Value) {
        self.parts.push(("call".to_owned(), name_of(call, "callId")));
    }

    /// Appends to the last part if it is of the same kind, else begins a new one.
    fn push(&mut self, kind: &str, text: &str) {
        match self.parts.last_mut() {
            Some((last, so_far)) if last == kind => *so_far += text,
            _ => self.parts.push((kind.to_owned(), text.to_owned())),
        }
    }

    /// What a client shows that has loaded the message.
    pub(super) fn of(message: &Value) -> Self {
        let cursor = message["progressCursor"].as_str().map(str::to_owned);
        // A reply that is loaded while it is queued starts later.
        let mut shown = Self { cursor, has_started: message["status"] != "QUEUED", parts: Vec::new() };
        for part in message["parts"].as_array().unwrap() {
            let text = part["text"].as_str().unwrap_or_default();
            match part["__typename"].as_str().unwrap() {
                "TextPart" => shown.push("text", text),
                "ReasoningPart" => shown.push("reasoning", text),
                "ToolCall" => shown.push_call(part),
                kind => panic!("{kind}"),
            }
        }
        assert_eq!(shown.text(), message["content"].as_str().unwrap(), "`content` is the parts of text");
        shown
    }

    fn of_kind(&self, wanted: &str) -> impl Iterator<Item = &str> {
        self.parts.iter().filter(move |(kind, _)| kind == wanted).map(|(_, text)| text.as_str())
    }

    fn text(&self) -> String {
        self.of_kind("text").collect()
    }

    /// Takes an event; `true` if it is the last one.
    pub(super) fn take(&mut self, event: &Value) -> Result<bool, TestCaseError> {
        let earlier = std::mem::replace(&mut self.cursor, event["cursor"].as_str().map(str::to_owned));
        let text = event["text"].as_str();
        prop_assert!(text != Some(""), "no event is empty");
        match event["__typename"].as_str().unwrap() {
            "ReplyRequested" => {
                prop_assert_eq!(earlier, None, "only a request without a cursor begins so");
                return Ok(false);
            }
            "ReplyStarted" => {
                prop_assert!(!self.has_started && self.parts.is_empty(), "a reply starts once: {self:?}");
                self.has_started = true;
            }
            "ReplyText" => self.push("text", text.unwrap()),
            "ReplyReasoning" => self.push("reasoning", text.unwrap()),
            "ReplyToolCall" => self.push_call(&event["toolCall"]),
            "ReplyRestarted" => self.parts.clear(),
            "ReplyEnded" => {
                if let Some(answer) = event.get("answer") {
                    self.check_answer(answer)?;
                } else {
                    prop_assert_eq!(&self.parts, &Self::of(&event["message"]).parts);
                    prop_assert_eq!(&event["message"]["progressCursor"], &Value::Null);
                }
                return Ok(true);
            }
            kind => return Err(TestCaseError::fail(kind.to_owned())),
        }
        prop_assert!(self.has_started, "a reply starts before its text: {event}");
        Ok(false)
    }

    /// The answer of REST has the text and the tool calls.
    fn check_answer(&self, answer: &Value) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.text(), answer["response"].as_str().unwrap());
        let calls: Vec<String> =
            answer["tool_calls"].as_array().unwrap().iter().map(|call| name_of(call, "call_id")).collect();
        prop_assert_eq!(self.of_kind("call").collect::<Vec<_>>(), calls);
        Ok(())
    }
}

/// The id of a tool call, and the provider's.
fn name_of(call: &Value, providers: &str) -> String {
    format!("{} {}", call["id"], call[providers])
}
