//! Whether a request's variables are what its operation declares.

use std::collections::HashSet;

use async_graphql::parser::types::VariableDefinition;
use async_graphql::registry::{MetaType, MetaTypeName};
use async_graphql::{Positioned, ServerError, ServerResult, Value, Variables};

use super::schema::{is_scalar, type_named};
use crate::error::Code;

/// What does not fit, and where within the value.
struct Mismatch {
    path: String,
    problem: String,
}

impl Mismatch {
    fn new(problem: impl Into<String>) -> Self {
        Self { path: String::new(), problem: problem.into() }
    }

    fn below(mut self, segment: &str) -> Self {
        self.path.insert_str(0, segment);
        self
    }
}

/// Checks the values of all declared variables, and forgets all others: a subscription would keep them as long as it
/// lives.
///
/// The library would find most of this only while it runs the operation, when a missing or wrong variable can no
/// longer refuse the request as a whole.
///
/// # Errors
/// `BAD_USER_INPUT`, with the variable's name.
pub(super) fn check(
    definitions: &[Positioned<VariableDefinition>],
    variables: &mut Variables,
) -> ServerResult<()> {
    for definition in definitions {
        let variable = &definition.node;
        let type_name = variable.var_type.node.to_string();
        let checked = match variables.get(&variable.name.node) {
            Some(value) => check_value(&type_name, value),
            None if variable.default_value().is_some() => Ok(()),
            None => Err(Mismatch::new(format!("a value of type `{type_name}` is required"))),
        };
        checked.map_err(|mismatch| {
            let Mismatch { path, problem } = mismatch;
            let message = format!("Variable `${}{path}`: {problem}.", variable.name.node);
            let error = Code::input_error(format!("${}{path}", variable.name.node), message);
            ServerError { locations: vec![definition.pos], ..error }
        })?;
    }
    variables.retain(|name, _| definitions.iter().any(|definition| definition.node.name.node == *name));
    Ok(())
}

fn check_value(type_name: &str, value: &Value) -> Result<(), Mismatch> {
    match (MetaTypeName::create(type_name), value) {
        (MetaTypeName::NonNull(_), Value::Null) => {
            Err(Mismatch::new(format!("it must be `{type_name}`, not null")))
        }
        (MetaTypeName::NonNull(inner), _) => check_value(inner, value),
        (_, Value::Null) => Ok(()),
        (MetaTypeName::List(inner), Value::List(items)) => {
            items.iter().enumerate().try_for_each(|(index, item)| {
                check_value(inner, item).map_err(|mismatch| mismatch.below(&format!("[{index}]")))
            })
        }
        // One item stands for a list with it.
        (MetaTypeName::List(inner), _) => check_value(inner, value),
        (MetaTypeName::Named(name), _) => match type_named(name) {
            Some(named) => check_named(named, value),
            // Validation says that there is no such type.
            None => Ok(()),
        },
    }
}

fn check_named(named: &MetaType, value: &Value) -> Result<(), Mismatch> {
    let name = named.name();
    let fits = match (named, value) {
        (MetaType::Scalar { .. }, _) if name == "Int" => is_int(value),
        (MetaType::Scalar { .. }, _) => is_scalar(name, value),
        (MetaType::Enum { enum_values, .. }, Value::String(text)) => enum_values.contains_key(text),
        (MetaType::InputObject { input_fields, oneof, .. }, Value::Object(fields)) => {
            if *oneof && (fields.len() != 1 || fields.values().any(|value| *value == Value::Null)) {
                return Err(Mismatch::new(format!("`{name}` must have exactly one field that is not null")));
            }
            let mut unknown: HashSet<&str> = fields.keys().map(async_graphql::Name::as_str).collect();
            for field in input_fields.values() {
                unknown.remove(field.name.as_str());
                let checked = match fields.get(field.name.as_str()) {
                    Some(value) => check_value(&field.ty, value),
                    None if field.ty.ends_with('!') && field.default_value.is_none() => {
                        Err(Mismatch::new(format!("a value of type `{}` is required", field.ty)))
                    }
                    None => Ok(()),
                };
                checked.map_err(|mismatch| mismatch.below(&format!(".{}", field.name)))?;
            }
            if !unknown.is_empty() {
                return Err(Mismatch::new(format!("`{name}` has no field of one of the given names")));
            }
            true
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(Mismatch::new(format!("it must be `{name}`"))) }
}

/// Whether `value` is a whole number of 32 bits.
fn is_int(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()))
}
