//! The specification's rules of validation.
//!
//! The library's own miss some of them, and one of theirs takes gigabytes for a query of some kilobytes.

use apollo_compiler::Schema;
use apollo_compiler::parser::Parser;
use apollo_compiler::response::GraphQLError;
use apollo_compiler::validation::{DiagnosticList, Valid};
use async_graphql::{Pos, ServerError};

use super::refusal::invalid;

/// What the library's introspection has and the specification's last edition not yet.
const ONE_OF: &str = "extend type __Type { isOneOf: Boolean! }";

/// The rules of validation, for one schema.
#[derive(Debug)]
pub(super) struct Rules(Valid<Schema>);

impl Rules {
    /// The rules for the schema that `sdl` describes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(sdl: &str) -> Result<Self, String> {
        let schema = Schema::builder().parse(sdl, "schema.graphql").parse(ONE_OF, "introspection.graphql");
        let schema = schema.build().map_err(|error| error.errors.to_string())?;
        Ok(Self(schema.validate().map_err(|error| error.errors.to_string())?))
    }

    /// The rules that the document `text` breaks: in the document's order, no more than it has tokens.
    #[must_use]
    pub(super) fn broken_by(&self, text: &str) -> Vec<ServerError> {
        let document = Parser::new().parse_executable(&self.0, text, "query.graphql");
        let checked = match document {
            Ok(document) => document.validate(&self.0).map(drop).map_err(|broken| broken.errors),
            Err(broken) => Err(broken.errors),
        };
        checked.map_or_else(|errors| explain(&errors), |()| Vec::new())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "type Query { a(b: Int): String list: [Query!] }";

    fn broken(text: &str) -> Vec<String> {
        let errors = Rules::new(SCHEMA).unwrap().broken_by(text);
        errors.into_iter().map(|error| error.message).collect()
    }

    #[test]
    fn errors_are_sentences_with_places() {
        let errors = Rules::new(SCHEMA).unwrap().broken_by("{\n  nope\n}");
        assert_eq!(errors[0].message, "Type `Query` does not have a field `nope`.");
        assert_eq!(errors[0].locations, [Pos { line: 2, column: 3 }]);
        assert_eq!(broken("{ a }"), Vec::<String>::new());
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

    #[test]
    fn introspection_asks_for_what_is_there() {
        assert_eq!(broken("{ __schema { types { isOneOf specifiedByURL } } }"), Vec::<String>::new());
    }
}
