//! The assistants: `echo`, and the OpenAI-compatible client against scripted providers.

mod deltas;
mod echo;
mod ending;
mod errors;
mod framing;
mod mocks;
mod provider;
mod reasoning;
mod requests;
mod retries;
mod secrets;
mod timeouts;

use std::time::Duration;

use causerie::assistant::openai::Options;
use causerie::assistant::{
    Assistant, Delta, Failure, FailureCode, FinishReason, OpenAi, Parameters, Prompt, Speaker, ToolCall,
    Turn, Usage,
};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

pub use self::provider::{Provider, Script};

/// What an attempt yielded.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    text: String,
    reasoning: String,
    /// The kinds of the pieces, in order, each once in a row.
    order: Vec<&'static str>,
    calls: Vec<ToolCall>,
    model: Option<String>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    failure: Option<Failure>,
}

impl Outcome {
    /// Reads a stream to its end, and holds it to the promises of the trait.
    async fn of(mut stream: BoxStream<'static, Result<Delta, Failure>>) -> Self {
        let mut outcome = Self::default();
        while let Some(step) = stream.next().await {
            assert_eq!(outcome.failure, None, "a failure is the last item");
            match step {
                Ok(Delta::Text(text)) => {
                    assert!(!text.is_empty() && outcome.finish.is_none(), "{outcome:?}");
                    outcome.text.push_str(&text);
                    outcome.order.push("text");
                }
                Ok(Delta::Reasoning(text)) => {
                    assert!(!text.is_empty() && outcome.finish.is_none(), "{outcome:?}");
                    outcome.reasoning.push_str(&text);
                    outcome.order.push("reasoning");
                }
                Ok(Delta::ToolCall(call)) => {
                    outcome.calls.push(call);
                    outcome.order.push("call");
                }
                Ok(Delta::Model(model)) => assert_eq!(outcome.model.replace(model), None),
                Ok(Delta::Usage(usage)) => outcome.usage = Some(usage),
                Ok(Delta::Finish(reason)) => assert_eq!(outcome.finish.replace(reason), None),
                Err(failure) => outcome.failure = Some(failure),
            }
        }
        assert!(stream.next().await.is_none(), "an ended stream stays ended");
        outcome.order.dedup();
        assert!(
            outcome.finish.is_some() != outcome.failure.is_some(),
            "either an end or a failure: {outcome:?}"
        );
        outcome
    }

    fn code(&self) -> Option<(FailureCode, bool)> {
        self.failure.as_ref().map(|failure| (failure.code, failure.retryable))
    }
}

/// Options for a scripted provider: no long waits.
fn options(provider: &Provider) -> Options {
    Options {
        first_token_timeout: Duration::from_secs(5),
        next_token_timeout: Duration::from_secs(5),
        retry_delay: Duration::from_millis(1),
        ..Options::new(provider.url(), "a-model")
    }
}

fn prompt(turns: &[(Speaker, &str)]) -> Prompt {
    let turn =
        |(speaker, content): &(Speaker, &str)| Turn { speaker: *speaker, content: (*content).to_owned() };
    Prompt { turns: turns.iter().map(turn).collect(), parameters: Parameters::default() }
}

fn start(options: Options) -> BoxStream<'static, Result<Delta, Failure>> {
    OpenAi::new(options).expect("options").reply(prompt(&[(Speaker::User, "Hello?")]))
}

/// The outcome of one attempt against `script`, without further tries.
async fn play(script: Script) -> Outcome {
    let provider = Provider::start(vec![script]);
    Outcome::of(start(Options { max_retries: 0, ..options(&provider) })).await
}

/// The outcome of a well-formed stream of `events`.
async fn stream(events: &[&str]) -> Outcome {
    play(Script::stream(events)).await
}

/// An event with a piece of text.
fn text(text: &str) -> String {
    let chunk = serde_json::json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
    format!("data: {chunk}\n\n")
}

/// An event with a reason to finish.
fn finish(reason: &str) -> String {
    let chunk = serde_json::json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] });
    format!("data: {chunk}\n\n")
}

const DONE: &str = "data: [DONE]\n\n";
