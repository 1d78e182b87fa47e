//! How an assistant is asked to write.

use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};

use crate::assistant;
use crate::chat::{Choice, Patch};

/// How an assistant is asked to write. What is `null` is left to the model.
#[derive(SimpleObject)]
pub(crate) struct Parameters {
    /// How much is left to chance: the higher, the more the same question is answered in different words.
    temperature: Option<f64>,
    /// The next word is chosen from the likeliest ones, which together have this probability.
    top_p: Option<f64>,
    /// How many tokens the reply may have at most.
    max_tokens: Option<i32>,
    /// How much the model is to reason, in a word that it knows.
    reasoning_effort: Option<String>,
}

/// How an assistant is to write. What is omitted or `null` is as the conversation has it, else as the assistant has it.
#[derive(InputObject)]
pub(crate) struct ParametersInput {
    /// How much is left to chance, within the assistant's `temperature`.
    temperature: Option<f64>,
    /// From how much of the probability the next word is chosen, within the assistant's `topP`.
    top_p: Option<f64>,
    /// How many tokens the reply may have at most, within the assistant's `maxTokens`.
    max_tokens: Option<i32>,
    /// How much the model is to reason: one of the assistant's `reasoningEfforts`.
    reasoning_effort: Option<String>,
}

impl From<assistant::Parameters> for Parameters {
    fn from(row: assistant::Parameters) -> Self {
        let assistant::Parameters { temperature, top_p, max_tokens, reasoning_effort } = row;
        Self { temperature, top_p, max_tokens, reasoning_effort }
    }
}

impl From<ParametersInput> for assistant::Parameters {
    fn from(input: ParametersInput) -> Self {
        let ParametersInput { temperature, top_p, max_tokens, reasoning_effort } = input;
        Self { temperature, top_p, max_tokens, reasoning_effort }
    }
}

/// What an input that requests a reply says of who is to write it.
pub(crate) fn choice(assistant_id: Option<ID>, parameters: Option<ParametersInput>) -> Choice {
    let parameters = parameters.map(assistant::Parameters::from).and_then(assistant::Parameters::some);
    Choice { assistant_id: assistant_id.map(|id| id.0), parameters }
}

/// What becomes of something: omitted it stays, and with `null` it is no longer chosen.
pub(crate) fn patch<T, V: Into<T>>(input: MaybeUndefined<V>) -> Patch<T> {
    match input {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(value) => Patch::Set(value.into()),
    }
}
