//! The arguments of a compiled field.

use async_graphql::parser::types::VariableDefinition;
use async_graphql::{InputType, Name, Positioned, Value, Variables};
use async_graphql_value::Value as Input;

use super::selection::Selected;
use crate::graphql::shared::Paging;

/// The arguments of a field, as the document has them.
pub(crate) struct Arguments(Box<[(Name, Input)]>);

/// The variables of a request.
pub(crate) struct Inputs<'r> {
    given: &'r Variables,
    defaults: &'r Defaults,
}

/// The default values of an operation's variables.
pub(super) struct Defaults(Box<[(Name, Value)]>);

impl Defaults {
    pub(super) fn of(variables: &[Positioned<VariableDefinition>]) -> Self {
        let defaults = variables.iter().filter_map(|variable| {
            let default = variable.node.default_value.as_ref()?;
            Some((variable.node.name.node.clone(), default.node.clone()))
        });
        Self(defaults.collect())
    }

    /// `given`, and these in place of what is omitted.
    pub(super) fn with<'r>(&'r self, given: &'r Variables) -> Inputs<'r> {
        Inputs { given, defaults: self }
    }
}

impl Inputs<'_> {
    /// The value, as the library makes it: what is omitted stays so in an object, and is null in a list.
    fn resolve(&self, input: &Input) -> Option<Value> {
        Some(match input {
            Input::Variable(name) => {
                let default = || self.defaults.0.iter().find(|(own, _)| own == name).map(|(_, value)| value);
                return self.given.get(name).or_else(default).cloned();
            }
            Input::List(items) => {
                Value::List(items.iter().map(|item| self.resolve(item).unwrap_or_default()).collect())
            }
            Input::Object(fields) => {
                let fields =
                    fields.iter().filter_map(|(name, value)| Some((name.clone(), self.resolve(value)?)));
                Value::Object(fields.collect())
            }
            constant => constant.clone().into_const()?,
        })
    }
}

impl Arguments {
    pub(crate) fn of(selected: &Selected<'_>) -> Self {
        let arguments = selected.field.arguments.iter();
        Self(arguments.map(|(name, value)| (name.node.clone(), value.node.clone())).collect())
    }

    /// The argument `name`; `None` if it is no `T`, which the library then says.
    pub(crate) fn get<T: InputType>(&self, name: &str, inputs: &Inputs<'_>) -> Option<T> {
        let given = self.0.iter().find(|(own, _)| own == name);
        T::parse(given.and_then(|(_, input)| inputs.resolve(input))).ok()
    }

    /// The arguments of a page.
    pub(crate) fn paging(&self, inputs: &Inputs<'_>) -> Option<Paging> {
        Some(Paging {
            first: self.get("first", inputs)?,
            after: self.get("after", inputs)?,
            last: self.get("last", inputs)?,
            before: self.get("before", inputs)?,
        })
    }
}
