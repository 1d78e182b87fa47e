//! Money, as whole billionths of the currency.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// How many parts a unit of the currency has.
const UNIT: i64 = 1_000_000_000;

/// The most units that an operator may write.
const MAX_UNITS: i64 = 1_000_000_000;

/// An amount of money: billionths of a unit of the currency, as an integer. As text it is a decimal number with at most
/// nine digits after the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// So many billionths.
    #[must_use]
    pub const fn of_billionths(billionths: i64) -> Self {
        Self(billionths)
    }

    /// An amount given as a number of units, rounded to billionths; `None` if it is negative, not finite, or above a
    /// billion.
    #[must_use]
    pub fn of_units(units: f64) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a power of ten that is exact")]
        let (unit, maximum) = (UNIT as f64, MAX_UNITS as f64);
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        let billionths = |units: f64| (units * unit).round() as i64;
        (0.0..=maximum).contains(&units).then(|| Self(billionths(units)))
    }

    /// The number of billionths.
    #[must_use]
    pub const fn billionths(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&decimal(self.0.into()))
    }
}

/// A number of billionths as a decimal number of units.
pub(super) fn decimal(billionths: i128) -> String {
    let sign = if billionths < 0 { "-" } else { "" };
    let unit = u128::from(UNIT.unsigned_abs());
    let (whole, rest) = (billionths.unsigned_abs() / unit, billionths.unsigned_abs() % unit);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{rest:09}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Units)
    }
}

struct Units;

impl Visitor<'_> for Units {
    type Value = Amount;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a number from 0 to {MAX_UNITS}")
    }

    fn visit_f64<E: Error>(self, units: f64) -> Result<Amount, E> {
        let unexpected = || E::invalid_value(serde::de::Unexpected::Float(units), &self);
        Amount::of_units(units).ok_or_else(unexpected)
    }

    fn visit_i64<E: Error>(self, units: i64) -> Result<Amount, E> {
        let unexpected = || E::invalid_value(serde::de::Unexpected::Signed(units), &self);
        let amount = (0..=MAX_UNITS).contains(&units).then(|| Amount(units * UNIT));
        amount.ok_or_else(unexpected)
    }

    fn visit_u64<E: Error>(self, units: u64) -> Result<Amount, E> {
        self.visit_i64(i64::try_from(units).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_and_written_as_a_decimal_number() {
        for (number, text) in [
            ("0.25", "0.25"),
            ("0.03", "0.03"),
            ("2", "2"),
            ("2.0", "2"),
            ("0", "0"),
            ("0.000000001", "0.000000001"),
            ("1000000000", "1000000000"),
        ] {
            let amount: Amount = serde_json::from_str(number).unwrap();
            assert_eq!(amount.to_string(), text);
        }
        assert_eq!(Amount::of_billionths(-1_500_000_000).to_string(), "-1.5");
        assert_eq!(Amount::of_billionths(i64::MIN).to_string(), "-9223372036.854775808");
    }

    #[test]
    fn an_amount_is_neither_negative_nor_infinite() {
        for number in ["-1", "-0.1", "1e300", "1000000001", "\"1\"", "null"] {
            assert!(serde_json::from_str::<Amount>(number).is_err(), "{number}");
        }
        for units in [f64::INFINITY, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(Amount::of_units(units), None);
        }
    }
}
