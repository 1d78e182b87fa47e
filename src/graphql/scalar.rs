//! Scalars of our own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{SecondsFormat, Utc};

/// An instant in RFC 3339, in UTC with milliseconds: `2026-11-20T09:30:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime(pub(super) chrono::DateTime<Utc>);

/// An instant in RFC 3339, in UTC with milliseconds: `2026-11-20T09:30:00.000Z`.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let instant = chrono::DateTime::parse_from_rfc3339(text)
            .map_err(|_| InputValueError::custom("A DateTime is written as in RFC 3339."))?;
        Ok(Self(instant.to_utc()))
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Any JSON value. Objects keep neither the order of their keys nor two of the same name.
/// Numbers come back as they were given if they are integers from -2^63 to 2^64 - 1, or else as the nearest number of
/// 64 bits as IEEE 754 has them, which JavaScript's are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Json(pub(super) serde_json::Value);

/// Any JSON value. Objects keep neither the order of their keys nor two of the same name.
/// Numbers come back as they were given if they are integers from -2^63 to 2^64 - 1, or else as the nearest number of
/// 64 bits as IEEE 754 has them, which JavaScript's are.
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
