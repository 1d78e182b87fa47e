//! How an assistant is to write, as far as it lets users say.

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// What a request to a model says of how to write, stored as JSON. `None` is left to the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// How much is left to chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// From how much of the probability the next token is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// How many tokens the reply may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<i32>,
    /// How much the model is to reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
}

// Its numbers are within ranges of the operator's, and therefore no NaN.
impl Eq for Parameters {}

impl Parameters {
    /// These; `None` if none of them is set.
    #[must_use]
    pub fn some(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    /// These, and those of `other` where one is not set.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            temperature: self.temperature.or(other.temperature),
            top_p: self.top_p.or(other.top_p),
            max_tokens: self.max_tokens.or(other.max_tokens),
            reasoning_effort: self.reasoning_effort.or(other.reasoning_effort),
        }
    }
}
