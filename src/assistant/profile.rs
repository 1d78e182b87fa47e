//! An assistant, and what an operator has said of it.

use std::sync::Arc;

use serde::Serialize;

use super::range::Range;
use super::{Assistant, Parameters};
use crate::error::Error;
use crate::usage::Price;

/// The id of the assistant that a server has without a file.
pub const DEFAULT_ID: &str = "default";

/// How many tokens of a conversation an assistant is shown unless the operator says otherwise.
pub(super) const CONTEXT_TOKENS: u32 = 8192;

/// One of the assistants that a server offers.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What it is chosen by, and stored with its replies: 1 to 64 of `a-z`, `0-9` and `-`.
    pub id: String,
    /// What users see.
    pub name: String,
    /// A sentence about it for users.
    pub description: Option<String>,
    /// The plans whose users may choose it; `None` is all.
    pub plans: Option<Vec<String>>,
    /// The operator's instructions, which no user is shown.
    pub instructions: Option<String>,
    /// It is shown at most this many tokens of a conversation, by estimate.
    pub context_tokens: u32,
    /// Whether its reasoning is left out.
    pub no_reasoning: bool,
    /// What users may set.
    pub settable: Settable,
    /// What its tokens cost.
    pub price: Option<Price>,
    /// Who writes.
    pub writer: Arc<dyn Assistant>,
}

/// The parameters that users may set, each with its range; `None` is not settable. Statements read it as JSON, with the
/// names of [`Parameters`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct Settable {
    /// How much is left to chance.
    pub temperature: Option<Range<f64>>,
    /// From how much of the probability the next token is chosen.
    pub top_p: Option<Range<f64>>,
    /// How many tokens a reply may have.
    pub max_tokens: Option<Range<i32>>,
    /// How much the model is to reason: the words that it knows for it.
    #[serde(rename = "reasoning_effort")]
    pub reasoning_efforts: Vec<String>,
}

impl Profile {
    /// An assistant as it is unless the operator says more.
    #[must_use]
    pub fn new(id: &str, writer: Arc<dyn Assistant>) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            description: None,
            plans: None,
            instructions: None,
            context_tokens: CONTEXT_TOKENS,
            no_reasoning: false,
            settable: Settable::default(),
            price: None,
            writer,
        }
    }

    /// Whether users of `plan` may choose it.
    #[must_use]
    pub fn is_for(&self, plan: &str) -> bool {
        self.plans.as_ref().is_none_or(|plans| plans.iter().any(|own| own == plan))
    }
}

impl Settable {
    /// What is sent unless users set it.
    #[must_use]
    pub fn defaults(&self) -> Parameters {
        Parameters {
            temperature: self.temperature.and_then(|range| range.default),
            top_p: self.top_p.and_then(|range| range.default),
            max_tokens: self.max_tokens.and_then(|range| range.default),
            reasoning_effort: None,
        }
    }

    /// Those of `parameters` that may be set so.
    #[must_use]
    pub fn fitting(&self, parameters: Parameters) -> Parameters {
        let efforts = &self.reasoning_efforts;
        Parameters {
            temperature: parameters.temperature.filter(|value| fits(self.temperature, *value)),
            top_p: parameters.top_p.filter(|value| fits(self.top_p, *value)),
            max_tokens: parameters.max_tokens.filter(|value| fits(self.max_tokens, *value)),
            reasoning_effort: parameters.reasoning_effort.filter(|effort| efforts.contains(effort)),
        }
    }

    /// Checks that `parameters` may be set so.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] about the first that may not.
    pub fn check(&self, parameters: &Parameters) -> Result<(), Error> {
        check_number("parameters.temperature", self.temperature, parameters.temperature)?;
        check_number("parameters.topP", self.top_p, parameters.top_p)?;
        check_number("parameters.maxTokens", self.max_tokens, parameters.max_tokens)?;
        let Some(effort) = &parameters.reasoning_effort else { return Ok(()) };
        if self.reasoning_efforts.contains(effort) {
            return Ok(());
        }
        let field = "parameters.reasoningEffort";
        if self.reasoning_efforts.is_empty() {
            return Err(not_settable(field));
        }
        let efforts = self.reasoning_efforts.join("`, `");
        Err(Error::input(field, format!("`{field}` must be one of `{efforts}` for this assistant.")))
    }
}

fn fits<T: Copy + std::fmt::Display + PartialOrd>(range: Option<Range<T>>, value: T) -> bool {
    range.is_some_and(|range| range.contains(value))
}

fn check_number<T: Copy + std::fmt::Display + PartialOrd>(
    field: &'static str,
    range: Option<Range<T>>,
    value: Option<T>,
) -> Result<(), Error> {
    let Some(value) = value else { return Ok(()) };
    let Some(range) = range else { return Err(not_settable(field)) };
    if range.contains(value) {
        return Ok(());
    }
    let Range { minimum, maximum, .. } = range;
    Err(Error::input(field, format!("`{field}` must be from {minimum} to {maximum} for this assistant.")))
}

fn not_settable(field: &'static str) -> Error {
    Error::input(field, format!("`{field}` cannot be set for this assistant."))
}
