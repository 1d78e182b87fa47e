//! Whether values written in a query are what our own scalars take: the rules of validation know nothing of those.

use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::{Pos, ServerResult};
use async_graphql_value::Value;

use super::refusal::invalid;

/// Checks the scalars in `value`, which is to be of the type called `type_name`.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED`, with the type's name.
pub(super) fn check(registry: &Registry, type_name: &str, value: &Value, position: Pos) -> ServerResult<()> {
    match (MetaTypeName::create(type_name), value) {
        (MetaTypeName::List(inner), Value::List(items)) => {
            items.iter().try_for_each(|item| check(registry, inner, item, position))
        }
        // One item stands for a list with it.
        (MetaTypeName::NonNull(inner) | MetaTypeName::List(inner), _) => {
            check(registry, inner, value, position)
        }
        (_, Value::Null) => Ok(()),
        (MetaTypeName::Named(name), _) => match (registry.types.get(name), value) {
            (Some(MetaType::Scalar { is_valid: Some(is_valid), .. }), _) => {
                match value.clone().into_const() {
                    Some(value) if !is_valid(&value) => {
                        Err(invalid(format!("A value here must be `{name}`."), Some(position)))
                    }
                    _ => Ok(()),
                }
            }
            (Some(MetaType::InputObject { input_fields, .. }), Value::Object(fields)) => {
                fields.iter().try_for_each(|(key, value)| match input_fields.get(key.as_str()) {
                    Some(field) => check(registry, &field.ty, value, position),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        },
    }
}
