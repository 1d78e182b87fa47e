//! The development assistant: needs no provider, answers the same every time.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::task::coop;

use super::{Assistant, Delta, Failure, FailureCode, FinishReason, Prompt, Speaker, ToolCall, Usage};

/// An assistant for development: it says that it is one, and repeats the user's last message word for word.
///
/// Its model is called `echo`, and it counts words as tokens. Three messages, sent alone, let the author of a
/// client see the rarer replies:
///
/// | message | the reply |
/// |---|---|
/// | `/reason` | some reasoning, then some text |
/// | `/fail` | some text, then a [`Failure`] that may be retried (and fails again) |
/// | `/tool` | some text, then a call of the tool `echo` |
#[derive(Clone, Debug)]
pub struct Echo {
    delay: Duration,
}

impl Echo {
    /// An echo that waits for `delay` before each word; with zero it sets no timers.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self { delay }
    }
}

impl Assistant for Echo {
    fn reply(&self, prompt: Prompt) -> BoxStream<'static, Result<Delta, Failure>> {
        let delay = self.delay;
        stream::unfold(script(&prompt), move |mut steps| async move {
            let step = steps.pop_front()?;
            if matches!(step, Ok(Delta::Text(_) | Delta::Reasoning(_))) && !delay.is_zero() {
                tokio::time::sleep(delay).await;
            } else {
                // A long reply is always ready: let others run between its words.
                coop::consume_budget().await;
            }
            Some((step, steps))
        })
        .fuse()
        .boxed()
    }
}

/// Everything that the reply to `prompt` will yield.
fn script(prompt: &Prompt) -> VecDeque<Result<Delta, Failure>> {
    let said = prompt.turns.iter().rev().find(|turn| turn.speaker == Speaker::User);
    let said = said.map_or("", |turn| turn.content.as_str());
    let text = match said {
        "/reason" => "This is causerie's development assistant. It reasoned first, as you asked.".to_owned(),
        "/fail" => "This is causerie's development assistant. It breaks off here, as you asked.".to_owned(),
        "/tool" => "This is causerie's development assistant. It calls a tool, as you asked.".to_owned(),
        said => format!("This is causerie's development assistant. You wrote:\n\n{said}"),
    };

    let mut steps = VecDeque::from([Ok(Delta::Model("echo".to_owned()))]);
    if said == "/reason" {
        let reasoning = "The user wants to see reasoning. This is what it looks like.";
        steps.extend(words(reasoning).map(|word| Ok(Delta::Reasoning(word.to_owned()))));
    }
    steps.extend(words(&text).map(|word| Ok(Delta::Text(word.to_owned()))));
    if said == "/fail" {
        steps.push_back(Err(Failure {
            code: FailureCode::AssistantUnavailable,
            message: "The development assistant failed, as you asked.".to_owned(),
            retryable: true,
        }));
        return steps;
    }
    let mut finish = FinishReason::Stop;
    if said == "/tool" {
        finish = FinishReason::ToolCalls;
        steps.push_back(Ok(Delta::ToolCall(ToolCall {
            call_id: "call_echo".to_owned(),
            name: "echo".to_owned(),
            arguments: r#"{"text":"/tool"}"#.to_owned(),
        })));
    }
    let read = prompt.turns.iter().map(|turn| count(&turn.content)).sum();
    steps.push_back(Ok(Delta::Usage(Usage {
        input_tokens: Some(read),
        output_tokens: Some(count(&text)),
        ..Usage::default()
    })));
    steps.push_back(Ok(Delta::Finish(finish)));
    steps
}

/// The number of words in `text`.
fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// Cuts `text` before the white space that leads each word: joined again, the pieces are the text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.find(|c: char| !c.is_whitespace())?;
        let end = rest[word..].find(char::is_whitespace).map_or(rest.len(), |length| word + length);
        // White space at the very end has no word of its own and goes with the last one.
        let end = if rest[end..].trim_start().is_empty() { rest.len() } else { end };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_keep_the_white_space_before_them() {
        assert_eq!(words("a b").collect::<Vec<_>>(), ["a", " b"]);
        assert_eq!(words("  a\n\n\tb \u{3000}").collect::<Vec<_>>(), ["  a", "\n\n\tb \u{3000}"]);
        assert_eq!(words("").count(), 0);
    }

    proptest! {
        #[test]
        fn joined_words_are_the_text(text in "\\PC*[a-z ]*\\s*") {
            prop_assume!(!text.trim().is_empty());
            prop_assert_eq!(words(&text).collect::<String>(), text);
        }
    }
}
