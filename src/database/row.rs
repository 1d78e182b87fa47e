//! Rows that are decoded where they are read, whichever way that is.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use sea_orm::sea_query::{ArrayType, ValueType};
use sea_orm::{DbErr, QueryResult, TryGetable, Value};
use uuid::Uuid;

/// A row of a result.
#[derive(Clone, Copy)]
pub enum Row<'r> {
    /// One that the driver has sent.
    Driver(&'r QueryResult),
    /// One at which SQLite stands.
    Sqlite(&'r rusqlite::Row<'r>),
}

impl Row<'_> {
    /// The column at `index`.
    pub fn get<T: TryGetable + ValueType>(&self, index: usize) -> Result<T, DbErr> {
        match self {
            Self::Driver(row) => row.try_get_by_index(index),
            Self::Sqlite(row) => {
                let value = decode(row.get_ref(index).map_err(malformed)?, &T::array_type())?;
                T::try_from(value).map_err(malformed)
            }
        }
    }
}

/// A value that the driver has stored, as one of this type.
fn decode(value: ValueRef<'_>, of: &ArrayType) -> Result<Value, DbErr> {
    let integer =
        || if value == ValueRef::Null { Ok(None) } else { value.as_i64().map(Some).map_err(malformed) };
    let text =
        || if value == ValueRef::Null { Ok(None) } else { value.as_str().map(Some).map_err(malformed) };
    Ok(match of {
        ArrayType::Bool => Value::Bool(integer()?.map(|it| it != 0)),
        ArrayType::Int => Value::Int(integer()?.map(TryFrom::try_from).transpose().map_err(malformed)?),
        ArrayType::BigInt => Value::BigInt(integer()?),
        ArrayType::String => Value::String(text()?.map(str::to_owned)),
        ArrayType::Json => Value::Json(text()?.map(serde_json::from_str).transpose().map_err(malformed)?),
        ArrayType::Uuid => {
            let bytes = value.as_blob_or_null().map_err(malformed)?;
            Value::Uuid(bytes.map(Uuid::from_slice).transpose().map_err(malformed)?)
        }
        ArrayType::ChronoDateTimeUtc => {
            let at = text()?.map(DateTime::parse_from_rfc3339).transpose().map_err(malformed)?;
            Value::ChronoDateTimeUtc(at.map(|at| at.with_timezone(&Utc)))
        }
        other => return Err(malformed(format!("{other:?} is not read here"))),
    })
}

fn malformed(error: impl Display) -> DbErr {
    DbErr::Type(error.to_string())
}
