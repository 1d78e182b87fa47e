//! What tokens cost.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Amount;

/// What one million of something is.
const MILLION: i128 = 1_000_000;

/// The most that one request is said to have cost: a million units of the currency.
pub(super) const MAX_COST: i64 = 1_000_000_000_000_000;

/// What the requests to a model cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// What the provider reports with each request.
    Reported,
    /// So much for a million tokens.
    PerMillion(Rates),
}

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "GivenRates")]
pub struct Rates {
    /// Of the prompt.
    pub input: Amount,
    /// Of the prompt, taken from the provider's cache; as any other of the prompt if it was not said.
    pub cached_input: Amount,
    /// Of what the model writes.
    pub output: Amount,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenRates {
    input: Amount,
    cached_input: Option<Amount>,
    output: Amount,
}

impl From<GivenRates> for Rates {
    fn from(given: GivenRates) -> Self {
        let GivenRates { input, cached_input, output } = given;
        Self { input, cached_input: cached_input.unwrap_or(input), output }
    }
}

/// The tokens of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the prompt, those from the cache included.
    pub input: i64,
    /// Of the prompt, those that the provider took from its cache.
    pub cached_input: i64,
    /// Written.
    pub output: i64,
}

impl Rates {
    /// What `tokens` cost, rounded to a billionth, and at most a million units.
    #[must_use]
    pub fn cost(&self, tokens: Tokens) -> Amount {
        let part = |tokens: i64, rate: Amount| i128::from(tokens.max(0)) * i128::from(rate.billionths());
        let cached = tokens.cached_input.clamp(0, tokens.input.max(0));
        let whole = part(tokens.input - cached, self.input)
            + part(cached, self.cached_input)
            + part(tokens.output, self.output);
        let cost = (whole + MILLION / 2) / MILLION;
        Amount::of_billionths(i64::try_from(cost).unwrap_or(MAX_COST).min(MAX_COST))
    }
}

impl Price {
    /// What tokens cost, if that is known beforehand.
    #[must_use]
    pub const fn rates(&self) -> Option<&Rates> {
        match self {
            Self::Reported => None,
            Self::PerMillion(rates) => Some(rates),
        }
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriceVisitor)
    }
}

struct PriceVisitor;

impl<'de> Visitor<'de> for PriceVisitor {
    type Value = Price;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"reported\", or a table of `input`, `cached_input` and `output`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Price, E> {
        if text == "reported" {
            Ok(Price::Reported)
        } else {
            Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Price, A::Error> {
        Rates::deserialize(MapAccessDeserializer::new(map)).map(Price::PerMillion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(json: &str) -> Rates {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn cached_tokens_cost_what_is_said_of_them() {
        let rates = rates(r#"{ "input": 0.25, "cached_input": 0.03, "output": 2.0 }"#);
        let cost =
            |input, cached_input, output| rates.cost(Tokens { input, cached_input, output }).to_string();
        assert_eq!(cost(1_000_000, 0, 0), "0.25");
        assert_eq!(cost(1_000_000, 1_000_000, 0), "0.03");
        assert_eq!(cost(1_000_000, 400_000, 1_000_000), "2.162");
        assert_eq!(cost(1, 0, 0), "0.00000025");
        assert_eq!(cost(0, 0, 0), "0");
        // More from the cache than there was cannot be.
        assert_eq!(cost(10, 1000, 0), cost(10, 10, 0));
    }

    #[test]
    fn without_a_price_of_their_own_cached_tokens_cost_what_the_others_do() {
        let rates = rates(r#"{ "input": 3, "output": 15 }"#);
        assert_eq!(rates.cached_input, rates.input);
    }

    #[test]
    fn a_cost_does_not_overflow() {
        let rates = rates(r#"{ "input": 1e9, "output": 1e9 }"#);
        let tokens = Tokens { input: i64::MAX, cached_input: 0, output: i64::MAX };
        assert_eq!(rates.cost(tokens).to_string(), "1000000");
    }

    #[test]
    fn a_price_is_a_table_or_the_word_reported() {
        assert_eq!(serde_json::from_str::<Price>(r#""reported""#).unwrap(), Price::Reported);
        for wrong in [
            r#""free""#,
            r#"{ "input": 1 }"#,
            r#"{ "input": 1, "output": 1, "reasoning": 1 }"#,
            r#"{ "input": -1000000, "output": 1 }"#,
            "1",
        ] {
            assert!(serde_json::from_str::<Price>(wrong).is_err(), "{wrong}");
        }
    }
}
