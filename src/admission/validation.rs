//! The specification's rules of validation, and that values written in a document are of their scalar.
//!
//! The library's own rules miss some of them, and one of them takes gigabytes for a query of some kilobytes.

use std::ops::Range;

use apollo_compiler::executable::{ExecutableDocument, Selection, SelectionSet, Type, Value};
use apollo_compiler::parser::LineColumn;
use apollo_compiler::response::GraphQLError;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{Node, Schema, ast};
use async_graphql::{Pos, ServerError};

use super::executable;
use super::refusal::invalid;
use super::schema::is_scalar;

/// The typed tree of `document`.
///
/// # Errors
/// The rules that it breaks: in the document's order, no more than it has tokens.
pub(super) fn validate(
    document: &ast::Document,
    schema: &Valid<Schema>,
) -> Result<Valid<ExecutableDocument>, Vec<ServerError>> {
    let typed = document.to_executable(schema).map_err(|broken| explain(&broken.errors))?;
    let typed = typed.validate(schema).map_err(|broken| explain(&broken.errors))?;
    Scalars { document: &typed, schema }.check().map_err(|error| vec![error])?;
    Ok(typed)
}

fn explain(errors: &DiagnosticList) -> Vec<ServerError> {
    errors.iter().map(|error| sentence(&error.to_json())).collect()
}

/// The messages have neither a capital nor a full stop.
fn sentence(error: &GraphQLError) -> ServerError {
    let mut characters = error.message.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    let message = first.chain(characters).chain(['.']).collect::<String>();
    let position = error.locations.first().map(|at| Pos { line: at.line, column: at.column });
    invalid(message, position)
}

/// Where something begins.
pub(super) fn position(range: Option<Range<LineColumn>>) -> Option<Pos> {
    range.map(|range| Pos { line: range.start.line, column: range.start.column })
}

/// Whether the values in a document are of their scalars.
struct Scalars<'d> {
    document: &'d Valid<ExecutableDocument>,
    schema: &'d Valid<Schema>,
}

impl Scalars<'_> {
    fn check(&self) -> Result<(), ServerError> {
        for operation in self.document.operations.iter() {
            for variable in &operation.variables {
                variable.default_value.iter().try_for_each(|value| self.check_value(&variable.ty, value))?;
            }
            self.check_selections(&operation.selection_set)?;
        }
        self.document
            .fragments
            .values()
            .try_for_each(|fragment| self.check_selections(&fragment.selection_set))
    }

    fn check_selections(&self, set: &SelectionSet) -> Result<(), ServerError> {
        set.selections.iter().try_for_each(|selection| match selection {
            Selection::Field(field) => {
                for argument in &field.arguments {
                    if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                        self.check_value(&definition.ty, &argument.value)?;
                    }
                }
                self.check_selections(&field.selection_set)
            }
            Selection::InlineFragment(fragment) => self.check_selections(&fragment.selection_set),
            Selection::FragmentSpread(_) => Ok(()),
        })
    }

    fn check_value(&self, value_type: &Type, value: &Node<Value>) -> Result<(), ServerError> {
        let name = match (value_type, value.as_ref()) {
            (_, Value::Null | Value::Variable(_)) => return Ok(()),
            (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
                return items.iter().try_for_each(|item| self.check_value(inner, item));
            }
            // One item stands for a list with it.
            (Type::List(inner) | Type::NonNullList(inner), _) => return self.check_value(inner, value),
            (Type::Named(name) | Type::NonNullNamed(name), _) => name,
        };
        match (self.schema.types.get(name), value.as_ref()) {
            (Some(ExtendedType::InputObject(object)), Value::Object(fields)) => {
                fields.iter().try_for_each(|(name, value)| match object.fields.get(name) {
                    Some(field) => self.check_value(&field.ty, value),
                    None => Ok(()),
                })
            }
            (Some(ExtendedType::Scalar(_)), _) => match executable::value(value).into_const() {
                Some(constant) if !is_scalar(name, &constant) => {
                    let position = position(value.line_column_range(&self.document.sources));
                    Err(invalid(format!("The value must be of the type `{name}`."), position))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use apollo_compiler::parser::Parser;

    use super::*;

    fn broken(text: &str) -> Vec<ServerError> {
        let schema = "type Query { a(b: Int): String list: [Query!] }";
        let schema = Schema::parse_and_validate(schema, "schema.graphql").unwrap();
        let document = Parser::new().parse_ast(text, "query.graphql").unwrap();
        validate(&document, &schema).err().unwrap_or_default()
    }

    #[test]
    fn errors_are_sentences_with_places() {
        let errors = broken("{\n  nope\n}");
        assert_eq!(errors[0].message, "Type `Query` does not have a field `nope`.");
        assert_eq!(errors[0].locations, [Pos { line: 2, column: 3 }]);
        assert_eq!(broken("{ a }"), []);
    }

    #[test]
    fn what_breaks_a_rule_is_told_once_however_deep_it_is() {
        let name = "x".repeat(250);
        let arguments = "a: 1 ".repeat(400);
        let text = format!(
            "{{ {}{name}({arguments}) {} {}}}",
            "... { ".repeat(12),
            format!("{name} ").repeat(1400),
            "}".repeat(12)
        );
        assert_eq!(broken(&text).len(), 1401);
    }
}
