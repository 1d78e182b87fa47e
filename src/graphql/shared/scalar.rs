//! Scalars.

use async_graphql::{Context, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, NaiveDate, SecondsFormat, Utc};

use super::context::ContextExt;
use crate::chat::Metadata;
use crate::error::Error;
use crate::usage::Amount;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateTime(pub(crate) chrono::DateTime<Utc>);

/// An instant in RFC 3339. The server returns it in UTC with milliseconds, such as `2026-11-20T09:30:00.000Z`, and
/// accepts any offset.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let instant = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| {
            InputValueError::custom("A `DateTime` must be an RFC 3339 string, such as 2026-11-20T09:30:00Z.")
        })?;
        Ok(Self(instant.to_utc()))
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Json(pub(crate) serde_json::Value);

/// Any JSON value. The order of an object's keys is not kept, and of keys with the same name one is kept. Integers from
/// -2^63 to 2^64 - 1 are returned as they were given; any other number is returned as the nearest 64-bit floating-point
/// number.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        let value = value.into_json().map_err(|_| InputValueError::custom("This is not a JSON value."))?;
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal(pub(crate) Amount);

/// A decimal number as text, such as `"0.25"`: an amount of money, with at most nine digits after the point. A number of
/// JSON could not hold all of them exactly. The server only returns it.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom("A `Decimal` is no input."))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BigInt(pub(crate) i64);

/// An integer from -2^63 to 2^63 - 1, as a number of JSON. The server only returns it.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom("A `BigInt` is no input."))
    }

    fn to_value(&self) -> Value {
        self.0.into()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date(pub(crate) NaiveDate);

/// A day of the calendar, such as `2026-11-20`, in UTC. Its year has four digits.
#[Scalar]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let day = text.parse().ok().filter(|day: &NaiveDate| (1..=9999).contains(&day.year()));
        let wrong = || InputValueError::custom("A `Date` must be a day such as 2026-11-20.");
        day.filter(|_| text.len() == 10).map(Self).ok_or_else(wrong)
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The metadata of a row, counted against the answer's budget.
pub(crate) fn read_metadata(context: &Context<'_>, text: &str) -> Result<Json, Error> {
    context.chat()?.take(text.len())?;
    Ok(Json(Metadata::read(text).into()))
}

/// The metadata of an input, checked; empty without any.
pub(crate) fn parse_metadata(json: Option<Json>) -> Result<Metadata, Error> {
    json.map_or_else(|| Ok(Metadata::default()), |json| Metadata::new(&json.0))
}
