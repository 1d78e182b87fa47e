//! Whether values written in a query fit their type, where the library is too generous.

use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::{Pos, Positioned, ServerResult};
use async_graphql_value::Value;

use super::refusal::invalid;

/// Checks that whole numbers have 32 bits, and that enum values are not strings.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED`, with the type's name.
pub(super) fn check(registry: &Registry, type_name: &str, value: &Positioned<Value>) -> ServerResult<()> {
    check_value(registry, type_name, &value.node, value.pos)
}

fn check_value(registry: &Registry, type_name: &str, value: &Value, position: Pos) -> ServerResult<()> {
    match MetaTypeName::create(type_name) {
        MetaTypeName::NonNull(inner) => check_value(registry, inner, value, position),
        MetaTypeName::List(inner) => match value {
            Value::List(items) => {
                items.iter().try_for_each(|item| check_value(registry, inner, item, position))
            }
            _ => check_value(registry, inner, value, position),
        },
        MetaTypeName::Named(name) => match (registry.types.get(name), value) {
            (Some(MetaType::Scalar { .. }), Value::Number(number)) if name == "Int" => {
                let fits = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
                if fits { Ok(()) } else { Err(mismatch(name, position)) }
            }
            (Some(MetaType::Enum { .. }), Value::String(_)) => Err(mismatch(name, position)),
            (Some(MetaType::InputObject { input_fields, .. }), Value::Object(fields)) => {
                fields.iter().try_for_each(|(key, value)| match input_fields.get(key.as_str()) {
                    Some(field) => check_value(registry, &field.ty, value, position),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        },
    }
}

fn mismatch(type_name: &str, position: Pos) -> async_graphql::ServerError {
    invalid(format!("A value here must be `{type_name}`."), Some(position))
}
