//! What the tokens of an assistant cost.

use async_graphql::SimpleObject;

use crate::graphql::shared::Decimal;
use crate::usage;

/// What a million tokens cost.
#[derive(SimpleObject)]
pub(super) struct Price {
    /// The currency: a code of ISO 4217, such as `USD`.
    currency: String,
    /// Tokens that the assistant reads.
    input: Decimal,
    /// Tokens that the assistant reads and that its provider has kept from before.
    cached_input: Decimal,
    /// Tokens that the assistant writes, those of its reasoning included.
    output: Decimal,
}

impl Price {
    /// The price, if it is known beforehand.
    pub(super) fn of(price: &usage::Price, currency: &str) -> Option<Self> {
        let usage::Price::PerMillion(rates) = price else { return None };
        Some(Self {
            currency: currency.to_owned(),
            input: Decimal(rates.input),
            cached_input: Decimal(rates.cached_input),
            output: Decimal(rates.output),
        })
    }
}
