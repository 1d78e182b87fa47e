//! How large a query is, each of its fragments visited once.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::registry::{MetaField, MetaType, Registry};
use async_graphql::{IntrospectionMode, Name, Positioned, Request, ServerResult, Variables};
use async_graphql_value::{ConstValue, Value};

use super::document::Document;
use super::limits::QueryLimits;
use super::literal;
use super::price::{introspected, is_page, price, words};
use super::refusal::{invalid, too_much};
use crate::chat::{DEFAULT_PAGE, MAXIMUM_PAGE};
use crate::error::Code;

/// How many times a query may ask for `__schema` or `__type`. Tools ask once or twice.
const INTROSPECTIONS: u64 = 4;

/// How often an introspection may go from a type to a list of its fields, interfaces or possible types and on to
/// one of theirs. Tools need one.
const INTROSPECTION_DEPTH: u64 = 2;

const REFUSED: &str = Code::ValidationFailed.as_str();

/// Checks that the document's operations, and its fragments even if nothing spreads them, are within `limits`. Returns
/// its complexity.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED`.
pub(super) fn measure(
    registry: &Registry,
    document: &Document,
    request: &Request,
    limits: &QueryLimits,
) -> ServerResult<u64> {
    let mut walk = Walk {
        registry,
        document: document.parsed(),
        variables: &request.variables,
        defaults: defaults(document.parsed()),
        limits,
        fragments: HashMap::new(),
    };
    let mut total = Measure::default();
    for (_, operation) in document.parsed().operations.iter() {
        total = total.and(walk.operation(&operation.node)?);
        total.check(limits)?;
    }
    for name in document.parsed().fragments.keys() {
        walk.fragment(name, 0)?.check(limits)?;
    }
    if total.introspections > 0 && request.introspection_mode == IntrospectionMode::Disabled {
        return Err(invalid("The schema cannot be explored here.", None));
    }
    Ok(total.complexity)
}

/// The size of a part of a query. All numbers stop at their type's maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Measure {
    size: u64,
    depth: u64,
    aliases: u64,
    directives: u64,
    complexity: u64,
    introspections: u64,
    introspection_depth: u64,
}

impl Measure {
    /// Both, side by side.
    fn and(self, other: Self) -> Self {
        Self {
            size: self.size.saturating_add(other.size),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            complexity: self.complexity.saturating_add(other.complexity),
            introspections: self.introspections.saturating_add(other.introspections),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
        }
    }

    fn check(&self, limits: &QueryLimits) -> ServerResult<()> {
        let bounds = [
            ("depth", self.depth, limits.depth),
            ("size", self.size, limits.size),
            ("number of aliases", self.aliases, limits.aliases),
            ("number of directives", self.directives, limits.directives),
            ("complexity", self.complexity, limits.complexity),
            ("number of introspections", self.introspections, INTROSPECTIONS),
            ("depth of introspection", self.introspection_depth, INTROSPECTION_DEPTH),
        ];
        match bounds.into_iter().find(|(_, measured, maximum)| measured > maximum) {
            Some((limit, _, maximum)) => Err(too_much(REFUSED, limit, maximum)),
            None => Ok(()),
        }
    }
}

struct Walk<'q> {
    registry: &'q Registry,
    document: &'q ExecutableDocument,
    variables: &'q Variables,
    /// The default values of each variable, one for each operation that declares it.
    defaults: HashMap<&'q Name, Vec<Option<&'q ConstValue>>>,
    limits: &'q QueryLimits,
    /// What was measured; `None` while it is being measured.
    fragments: HashMap<&'q Name, Option<Measure>>,
}

impl<'q> Walk<'q> {
    fn operation(&mut self, operation: &'q OperationDefinition) -> ServerResult<Measure> {
        for definition in &operation.variable_definitions {
            let variable = &definition.node;
            if let Some(value) = &variable.default_value {
                let type_name = variable.var_type.node.to_string();
                literal::check(self.registry, &type_name, &value.node.clone().into_value(), value.pos)?;
            }
        }
        let root = match operation.ty {
            OperationType::Query => Some(&self.registry.query_type),
            OperationType::Mutation => self.registry.mutation_type.as_ref(),
            OperationType::Subscription => self.registry.subscription_type.as_ref(),
        };
        let root = root.and_then(|name| self.registry.types.get(name));
        let on_variables: usize =
            operation.variable_definitions.iter().map(|variable| variable.node.directives.len()).sum();
        let directives = (operation.directives.len() + on_variables) as u64;
        let body = self.selection_set(&operation.selection_set.node, root, 0)?;
        Ok(body.and(Measure { directives, ..Measure::default() }))
    }

    /// `above` is how many selection sets lie around this one. It also bounds how deep this calls itself.
    fn selection_set(
        &mut self,
        set: &'q SelectionSet,
        parent: Option<&'q MetaType>,
        above: u64,
    ) -> ServerResult<Measure> {
        if above >= self.limits.depth && !set.items.is_empty() {
            return Err(too_much(REFUSED, "depth", self.limits.depth));
        }
        let mut total = Measure::default();
        for selection in &set.items {
            let inner = match &selection.node {
                Selection::Field(field) => self.field(field, parent, above)?,
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let parent = condition
                        .map_or(parent, |condition| self.registry.types.get(condition.node.on.node.as_str()));
                    self.selection_set(&fragment.node.selection_set.node, parent, above + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, above + 1)?
                }
            };
            let directives = selection.node.directives().len() as u64;
            total = total.and(inner).and(Measure { size: 1, directives, ..Measure::default() });
        }
        if !set.items.is_empty() {
            total.depth = total.depth.saturating_add(1);
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &Name, above: u64) -> ServerResult<Measure> {
        // Validation says that there is no such fragment.
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Measure::default());
        };
        match self.fragments.get(name) {
            Some(Some(measure)) => return Ok(*measure),
            Some(None) => return Err(invalid("A fragment must not spread itself.", Some(fragment.pos))),
            None => {}
        }
        self.fragments.insert(name, None);
        let parent = self.registry.types.get(fragment.node.type_condition.node.on.node.as_str());
        let directives = fragment.node.directives.len() as u64;
        let body = self.selection_set(&fragment.node.selection_set.node, parent, above)?;
        let measure = body.and(Measure { directives, ..Measure::default() });
        self.fragments.insert(name, Some(measure));
        Ok(measure)
    }

    fn field(
        &mut self,
        field: &'q Positioned<Field>,
        parent: Option<&'q MetaType>,
        above: u64,
    ) -> ServerResult<Measure> {
        let field = &field.node;
        let name = field.name.node.as_str();
        let is_introspection = matches!(name, "__schema" | "__type");
        let meta = parent.and_then(|parent| parent.field_by_name(name));
        if let Some(meta) = meta {
            for (name, value) in &field.arguments {
                if let Some(argument) = meta.args.get(name.node.as_str()) {
                    literal::check(self.registry, &argument.ty, &value.node, value.pos)?;
                }
            }
        }
        let of = match name {
            "__schema" => self.registry.types.get("__Schema"),
            "__type" => self.registry.types.get("__Type"),
            _ => meta.and_then(|meta| self.registry.concrete_type_by_name(&meta.ty)),
        };
        let below = self.selection_set(&field.selection_set.node, of, above + 1)?;
        let price = price(self.registry, parent.map(MetaType::name), name, meta) + self.words(field);
        let lists_types = parent.is_some_and(|parent| parent.name() == "__Type")
            && matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes");
        Ok(Measure {
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
            complexity: below
                .complexity
                .saturating_mul(self.page_size(field, parent, meta))
                .saturating_add(price),
            introspections: below.introspections.saturating_add(u64::from(is_introspection)),
            introspection_depth: below.introspection_depth.saturating_add(u64::from(lists_types)),
            ..below
        })
    }

    /// How many items the field may answer with: 1 if it is no long list.
    fn page_size(&self, field: &Field, parent: Option<&MetaType>, meta: Option<&MetaField>) -> u64 {
        if let Some(number) = introspected(parent.map(MetaType::name), &field.name.node) {
            return number;
        }
        if !is_page(meta) {
            return 1;
        }
        // What is null, or a variable without a value, counts as not given.
        let given = ["first", "last"].into_iter().filter_map(|name| match &field.get_argument(name)?.node {
            Value::Number(number) => number.as_u64(),
            Value::Variable(name) => self.variable(name, number, DEFAULT_PAGE),
            _ => None,
        });
        given.max().unwrap_or(DEFAULT_PAGE).clamp(1, MAXIMUM_PAGE)
    }

    /// What the words that the field searches for cost.
    fn words(&self, field: &Field) -> u64 {
        let query = (field.name.node == "search").then(|| field.get_argument("query")).flatten();
        let price = match query.map(|query| &query.node) {
            Some(Value::String(text)) => Some(words(text)),
            Some(Value::Variable(name)) => self.variable(name, text, 0),
            _ => None,
        };
        price.unwrap_or(0)
    }

    /// What `read` makes of a variable's value. Without one, of its defaults the highest, and `absent` if it has one in
    /// some operations only: which of them runs does not matter here.
    fn variable(&self, name: &Name, read: fn(&ConstValue) -> Option<u64>, absent: u64) -> Option<u64> {
        if let Some(value) = self.variables.get(name) {
            return read(value);
        }
        let defaults = self.defaults.get(name)?;
        defaults
            .iter()
            .flatten()
            .filter_map(|value| read(value))
            .max()
            .map(|highest| if defaults.contains(&None) { highest.max(absent) } else { highest })
    }
}

fn number(value: &ConstValue) -> Option<u64> {
    match value {
        ConstValue::Number(number) => number.as_u64(),
        _ => None,
    }
}

fn text(value: &ConstValue) -> Option<u64> {
    match value {
        ConstValue::String(text) => Some(words(text)),
        _ => None,
    }
}

/// The default values of each variable, one for each operation that declares it.
fn defaults(document: &ExecutableDocument) -> HashMap<&Name, Vec<Option<&ConstValue>>> {
    let mut defaults: HashMap<&Name, Vec<Option<&ConstValue>>> = HashMap::new();
    let operations = document.operations.iter();
    for definition in operations.flat_map(|(_, operation)| &operation.node.variable_definitions) {
        let default = definition.node.default_value.as_ref().map(|value| &value.node);
        defaults.entry(&definition.node.name.node).or_default().push(default);
    }
    defaults
}
