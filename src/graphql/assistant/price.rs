//! What the tokens of an assistant cost.

use async_graphql::SimpleObject;

use crate::graphql::shared::Decimal;
use crate::usage::Rates;

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
    /// Those rates in that currency.
    pub(super) fn of(rates: &Rates, currency: &str) -> Self {
        Self {
            currency: currency.to_owned(),
            input: Decimal(rates.input),
            cached_input: Decimal(rates.cached_input),
            output: Decimal(rates.output),
        }
    }
}
