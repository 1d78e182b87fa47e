//! What the ledger goes by: quotas, and what is known of assistants.

use std::collections::HashMap;

use super::price::MAX_COST;
use super::{Amount, Calendar, Price, Quota, Tokens};
use crate::entity::message::Usage;

/// The most tokens of a kind that one request can have used. A provider that reports more is not believed.
pub(super) const MAX_TOKENS: i64 = 100_000_000;

/// What usage is counted by.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The quotas, in the operator's order.
    pub quotas: Vec<Quota>,
    /// The assistants, by their ids.
    pub assistants: HashMap<String, Terms>,
    /// The days that usage is counted by.
    pub calendar: Calendar,
}

/// What the ledger needs to know of an assistant.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What its requests cost; unknown without one.
    pub price: Option<Price>,
    /// The most tokens of a conversation that it is shown.
    pub context_tokens: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self { price: None, context_tokens: 8192 }
    }
}

impl Ledger {
    /// What is known of an assistant; `None` if the operator no longer has it.
    #[must_use]
    pub fn terms(&self, assistant: &str) -> Option<&Terms> {
        self.assistants.get(assistant)
    }

    /// The quotas for users of `plan`.
    pub(super) fn quotas_of(&self, plan: &str) -> impl Iterator<Item = &Quota> {
        self.quotas.iter().filter(move |quota| quota.is_for(plan))
    }

    /// What a request to `assistant` has used: what its provider `reported`, and the estimate in place of what is missing
    /// or cannot be. Of a price that is not known, and of one that the provider did not report, there is no cost.
    #[must_use]
    pub fn usage(
        &self,
        assistant: &str,
        reported: Option<Usage>,
        estimate: impl FnOnce() -> Tokens,
    ) -> Usage {
        let reported = reported.unwrap_or_default();
        let possible = |tokens: Option<u64>| tokens.filter(|tokens| *tokens <= MAX_TOKENS.unsigned_abs());
        let (input, output) = (possible(reported.input_tokens), possible(reported.output_tokens));
        let estimated = input.is_none() || output.is_none();
        let estimate = if estimated { estimate() } else { Tokens::default() };
        let whole = |tokens: i64| tokens.clamp(0, MAX_TOKENS).unsigned_abs();
        let usage = Usage {
            input_tokens: Some(input.unwrap_or_else(|| whole(estimate.input))),
            output_tokens: Some(output.unwrap_or_else(|| whole(estimate.output))),
            cached_input_tokens: reported.cached_input_tokens.filter(|cached| Some(*cached) <= input),
            estimated,
            cost: None,
        };
        let impossible = (reported.input_tokens, reported.output_tokens) != (input, output)
            || usage.cached_input_tokens != reported.cached_input_tokens && input.is_some()
            || reported.cost.is_some_and(|cost| !is_possible(cost));
        if impossible {
            tracing::warn!(
                assistant,
                input = reported.input_tokens,
                cached = reported.cached_input_tokens,
                output = reported.output_tokens,
                cost = reported.cost,
                "the provider reports numbers that cannot be: the estimate counts"
            );
        }
        Usage { cost: self.cost(assistant, &usage, reported.cost), ..usage }
    }

    /// What `usage` costs, in billionths.
    fn cost(&self, assistant: &str, usage: &Usage, reported: Option<i64>) -> Option<i64> {
        match self.terms(assistant)?.price? {
            Price::Reported => reported.filter(|cost| is_possible(*cost)),
            Price::PerMillion(rates) => Some(rates.cost(Tokens::of(usage)).billionths()),
        }
    }
}

/// Whether one request can have cost so many billionths.
fn is_possible(cost: i64) -> bool {
    (0..=MAX_COST).contains(&cost)
}

impl Tokens {
    /// Those of a usage; what is not known is none.
    #[must_use]
    pub fn of(usage: &Usage) -> Self {
        let number =
            |tokens: Option<u64>| tokens.map_or(0, |tokens| i64::try_from(tokens).unwrap_or(MAX_TOKENS));
        Self {
            input: number(usage.input_tokens),
            cached_input: number(usage.cached_input_tokens),
            output: number(usage.output_tokens),
        }
    }
}

impl Usage {
    /// What it costs, if that is known.
    #[must_use]
    pub fn amount(&self) -> Option<Amount> {
        self.cost.map(Amount::of_billionths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(price: Option<Price>) -> Ledger {
        let terms = Terms { price, ..Terms::default() };
        Ledger { assistants: HashMap::from([("fast".to_owned(), terms)]), ..Ledger::default() }
    }

    fn rates() -> Price {
        serde_json::from_str(r#"{ "input": 1, "cached_input": 0.5, "output": 10 }"#).unwrap()
    }

    const ESTIMATE: Tokens = Tokens { input: 100, cached_input: 0, output: 10 };

    #[test]
    fn what_the_provider_reports_counts() {
        let reported = Usage {
            input_tokens: Some(1000),
            output_tokens: Some(7),
            cached_input_tokens: Some(400),
            ..Usage::default()
        };
        let usage = ledger(Some(rates())).usage("fast", Some(reported), || ESTIMATE);
        assert_eq!(usage, Usage { cost: Some(600_000 + 200_000 + 70_000), ..reported });
    }

    #[test]
    fn what_it_does_not_report_is_estimated() {
        let nothing = ledger(Some(rates())).usage("fast", None, || ESTIMATE);
        assert_eq!((nothing.input_tokens, nothing.output_tokens), (Some(100), Some(10)));
        assert_eq!((nothing.estimated, nothing.cost), (true, Some(100_000 + 100_000)));
        let half = Usage { input_tokens: Some(50), ..Usage::default() };
        let half = ledger(None).usage("fast", Some(half), || ESTIMATE);
        assert_eq!((half.input_tokens, half.output_tokens), (Some(50), Some(10)));
        assert_eq!((half.estimated, half.cost), (true, None));
    }

    #[test]
    fn absurd_numbers_are_not_believed() {
        let absurd = Usage {
            input_tokens: Some(u64::MAX),
            output_tokens: Some(10_000_000_000),
            cached_input_tokens: Some(3),
            ..Usage::default()
        };
        let usage = ledger(Some(rates())).usage("fast", Some(absurd), || ESTIMATE);
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(100), Some(10)));
        assert_eq!((usage.cached_input_tokens, usage.estimated), (None, true));
        let more_cached_than_read = Usage {
            input_tokens: Some(5),
            output_tokens: Some(5),
            cached_input_tokens: Some(6),
            ..Usage::default()
        };
        let usage = ledger(Some(rates())).usage("fast", Some(more_cached_than_read), || ESTIMATE);
        assert_eq!((usage.cached_input_tokens, usage.estimated), (None, false));
    }

    #[test]
    fn a_reported_price_is_the_provider_s() {
        let reported =
            Usage { input_tokens: Some(1), output_tokens: Some(1), cost: Some(1234), ..Usage::default() };
        let usage = |price| ledger(price).usage("fast", Some(reported), || ESTIMATE).cost;
        assert_eq!(usage(Some(Price::Reported)), Some(1234));
        assert_eq!(usage(Some(rates())), Some(1000 + 10_000));
        assert_eq!(usage(None), None);
        assert_eq!(ledger(Some(Price::Reported)).usage("fast", None, || ESTIMATE).cost, None);
        for absurd in [-1, MAX_COST + 1, i64::MAX] {
            let reported = Usage { cost: Some(absurd), ..reported };
            let usage = ledger(Some(Price::Reported)).usage("fast", Some(reported), || ESTIMATE);
            assert_eq!((usage.cost, usage.estimated), (None, false), "{absurd}");
        }
    }
}
