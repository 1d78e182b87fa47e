//! What a document costs, in the time that a plain field takes: a function of its typed tree and of the variables.

use std::collections::HashMap;

use apollo_compiler::Name;
use apollo_compiler::executable::{ExecutableDocument, Field, Selection, SelectionSet, Value};
use apollo_compiler::schema::FieldDefinition;
use async_graphql::{ServerResult, Variables};
use async_graphql_value::ConstValue;

use super::executable;
use super::query_limits::QueryLimits;
use super::size::above;
use super::subscription::is_mutation;
use crate::chat::{DEFAULT_PAGE, MAX_CONVERSATIONS, MAXIMUM_PAGE};
use crate::search::{MAX_CHARS, MAX_TERMS};

/// The schema has some thousand parts, of which a list counts as few.
const SCHEMA: u64 = 2000;

/// The index is asked, and what is found is ranked.
const SEARCH: u64 = 1000;

/// The index is asked for each word.
const WORD: u64 = 200;

/// A transaction that waits for the disk.
const WRITE: u64 = 200;

/// Statements of its own; pages within other rows are read together.
const PAGE: u64 = 10;

/// A conversation of several that one transaction changes.
const CHANGED: u64 = 10;

/// The index of its metadata, if these change, too.
const INDEXED: u64 = 50;

/// The text is folded and searched again for what to mark. Long texts count besides when they are read.
const SNIPPET: u64 = 50;

/// The mutations that change several conversations, and where their ids are.
const CHANGES_SEVERAL: [&str; 3] = ["updateConversations", "deleteConversations", "restoreConversations"];
const IDS: &str = "conversationIds";
const METADATA: &str = "metadata";

/// How many bytes count as a word where nothing stands between words.
const WORD_BYTES: usize = 24;

/// How many times a query may ask for `__schema` or `__type`. Tools ask once or twice.
const INTROSPECTIONS: u64 = 4;

/// How often an introspection may go from a type to a list of its fields, interfaces or possible types and on to
/// one of theirs. Tools need one.
const INTROSPECTION_DEPTH: u64 = 2;

/// What a document costs. All numbers stop at their type's maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) complexity: u64,
    /// How many mutations it has.
    pub(super) mutations: u64,
    /// How many times it asks for the schema.
    pub(super) introspections: u64,
    introspection_depth: u64,
}

impl Cost {
    /// The cost of all operations of `document`: which of them runs does not matter here.
    pub(super) fn of(document: &ExecutableDocument, variables: &Variables) -> Self {
        let mut walk = Walk { document, variables, defaults: HashMap::new(), fragments: HashMap::new() };
        for variable in document.operations.iter().flat_map(|operation| &operation.variables) {
            let default = variable.default_value.as_deref().and_then(constant);
            walk.defaults.entry(variable.name.as_str()).or_default().push(default);
        }
        document
            .operations
            .iter()
            .fold(Self::default(), |total, operation| total.and(walk.selection_set(&operation.selection_set)))
    }

    /// Checks that it is within `limits`.
    ///
    /// # Errors
    /// `GRAPHQL_VALIDATION_FAILED`, with the bound.
    pub(super) fn check(&self, limits: &QueryLimits) -> ServerResult<()> {
        let bounds = [
            ("complexity", self.complexity, limits.complexity),
            ("number of introspections", self.introspections, INTROSPECTIONS),
            ("depth of introspection", self.introspection_depth, INTROSPECTION_DEPTH),
        ];
        match bounds.into_iter().find(|(_, measured, maximum)| measured > maximum) {
            Some((limit, _, maximum)) => Err(above(limit, maximum)),
            None => Ok(()),
        }
    }

    /// Both, side by side.
    fn and(self, other: Self) -> Self {
        Self {
            complexity: self.complexity.saturating_add(other.complexity),
            mutations: self.mutations.saturating_add(other.mutations),
            introspections: self.introspections.saturating_add(other.introspections),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
        }
    }
}

struct Walk<'d> {
    document: &'d ExecutableDocument,
    variables: &'d Variables,
    /// The default values of each variable, one for each operation that declares it.
    defaults: HashMap<&'d str, Vec<Option<ConstValue>>>,
    fragments: HashMap<&'d Name, Cost>,
}

impl<'d> Walk<'d> {
    fn selection_set(&mut self, set: &'d SelectionSet) -> Cost {
        set.selections.iter().fold(Cost::default(), |total, selection| {
            total.and(match selection {
                Selection::Field(field) => self.field(field, &set.ty),
                Selection::InlineFragment(fragment) => self.selection_set(&fragment.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name),
            })
        })
    }

    fn fragment(&mut self, name: &Name) -> Cost {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Cost::default();
        };
        if let Some(cost) = self.fragments.get(name) {
            return *cost;
        }
        let cost = self.selection_set(&fragment.selection_set);
        self.fragments.insert(name, cost);
        cost
    }

    fn field(&mut self, field: &'d Field, parent: &str) -> Cost {
        let name = field.name.as_str();
        let below = self.selection_set(&field.selection_set);
        let each = if self.changes_metadata(field) { CHANGED + INDEXED } else { CHANGED };
        let changed = each.saturating_mul(self.conversations(field));
        let is_mutation = parent == "Mutation" || (parent == "Subscription" && is_mutation(name));
        let price = if is_mutation { WRITE } else { price(parent, name, &field.definition) };
        let own = price.saturating_add(self.words(field)).saturating_add(changed);
        let lists_types =
            parent == "__Type" && matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes");
        let is_introspection = matches!(name, "__schema" | "__type");
        Cost {
            complexity: below.complexity.saturating_mul(self.page_size(field, parent)).saturating_add(own),
            mutations: below.mutations.saturating_add(u64::from(is_mutation)),
            introspections: below.introspections.saturating_add(u64::from(is_introspection)),
            introspection_depth: below.introspection_depth.saturating_add(u64::from(lists_types)),
        }
    }

    /// How many items the field may answer with: 1 if it is no long list.
    fn page_size(&self, field: &Field, parent: &str) -> u64 {
        match (parent, field.name.as_str()) {
            // Fewer than there are, as a part of the schema is quickly told, and fewer than there may be, as most servers
            // offer a few.
            ("__Schema", "types") | ("Query", "assistants") => return 10,
            // Most messages have one or two; further ones count in the memory of the answer.
            ("Message", "parts") => return 3,
            // A month of two assistants.
            ("Viewer", "usage") => return 60,
            ("__Type", "fields" | "inputFields" | "enumValues" | "interfaces" | "possibleTypes")
            | ("Viewer", "quotas") => return 5,
            ("Mutation", name) if CHANGES_SEVERAL.contains(&name) => return self.conversations(field).max(1),
            _ if !is_page(&field.definition) => return 1,
            _ => {}
        }
        // What is null, or a variable without a value, counts as not given.
        let given = ["first", "last"].map(|name| self.argument(field, name, number, DEFAULT_PAGE));
        given.into_iter().flatten().max().unwrap_or(DEFAULT_PAGE).clamp(1, MAXIMUM_PAGE)
    }

    /// How many conversations the field changes, if it changes several: as many as it may, unless their ids are seen.
    fn conversations(&self, field: &Field) -> u64 {
        if !CHANGES_SEVERAL.contains(&field.name.as_str()) {
            return 0;
        }
        let input = field.arguments.iter().find(|argument| argument.name == "input");
        let ids = match input.map(|argument| argument.value.as_ref()) {
            Some(Value::Object(fields)) => {
                match fields.iter().find(|(name, _)| name == IDS).map(|(_, value)| value.as_ref()) {
                    Some(Value::List(ids)) => Some(ids.len()),
                    Some(Value::Variable(name)) => self.variables.get(name.as_str()).map(items),
                    _ => None,
                }
            }
            Some(Value::Variable(name)) => match self.variables.get(name.as_str()) {
                Some(ConstValue::Object(fields)) => fields.get(IDS).map(items),
                _ => None,
            },
            _ => None,
        };
        ids.map_or(MAX_CONVERSATIONS, |ids| ids.min(MAX_CONVERSATIONS)) as u64
    }

    /// Whether the field's input has metadata, or may have some that are not seen.
    fn changes_metadata(&self, field: &Field) -> bool {
        let given = |value: Option<&ConstValue>| value.is_some_and(|value| *value != ConstValue::Null);
        let input = field.arguments.iter().find(|argument| argument.name == "input");
        match input.map(|argument| argument.value.as_ref()) {
            Some(Value::Object(fields)) => {
                match fields.iter().find(|(name, _)| name == METADATA).map(|(_, value)| value.as_ref()) {
                    None | Some(Value::Null) => false,
                    Some(Value::Variable(name)) => {
                        self.variables.get(name.as_str()).is_none_or(|value| given(Some(value)))
                    }
                    Some(_) => true,
                }
            }
            Some(Value::Variable(name)) => match self.variables.get(name.as_str()) {
                Some(ConstValue::Object(fields)) => given(fields.get(METADATA)),
                _ => true,
            },
            _ => false,
        }
    }

    /// What the words that the field searches for cost.
    fn words(&self, field: &Field) -> u64 {
        let is_search = field.name == "search";
        is_search.then(|| self.argument(field, "query", words, 0)).flatten().unwrap_or(0)
    }

    /// What `read` makes of an argument. Of a variable without a value it takes the defaults, of which the highest
    /// counts, and `absent` if it has one in some operations only.
    fn argument(
        &self,
        field: &Field,
        name: &str,
        read: fn(&ConstValue) -> Option<u64>,
        absent: u64,
    ) -> Option<u64> {
        let argument = field.arguments.iter().find(|argument| argument.name == name)?;
        let Value::Variable(name) = argument.value.as_ref() else { return read(&constant(&argument.value)?) };
        if let Some(value) = self.variables.get(name.as_str()) {
            return read(value);
        }
        let defaults = self.defaults.get(name.as_str())?;
        let highest = defaults.iter().flatten().filter_map(read).max()?;
        Some(if defaults.contains(&None) { highest.max(absent) } else { highest })
    }
}

fn constant(value: &Value) -> Option<ConstValue> {
    executable::value(value).into_const()
}

fn number(value: &ConstValue) -> Option<u64> {
    match value {
        ConstValue::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// How many items a list has; a single value stands for a list of one.
fn items(value: &ConstValue) -> usize {
    match value {
        ConstValue::List(items) => items.len(),
        _ => 1,
    }
}

/// What the field `name` of the type `parent`, which is no mutation, costs by itself.
fn price(parent: &str, name: &str, definition: &FieldDefinition) -> u64 {
    match name {
        "__schema" => SCHEMA,
        "search" => SEARCH,
        "snippet" => SNIPPET,
        "quotas" | "usage" if parent == "Viewer" => PAGE,
        _ if is_page(definition) && matches!(parent, "Query" | "Viewer") => PAGE,
        _ => 1,
    }
}

/// Whether the field answers with a page of a list.
fn is_page(definition: &FieldDefinition) -> bool {
    definition.argument_by_name("first").is_some()
}

/// What a search for a text costs beyond one for a single word.
fn words(value: &ConstValue) -> Option<u64> {
    let ConstValue::String(text) = value else { return None };
    // It is refused when it is run; until then it is not looked through, as the same text may be asked for many times.
    if text.len() > MAX_CHARS * char::MAX_LEN_UTF8 {
        return Some(WORD * MAX_TERMS as u64);
    }
    let spaced = text.split_whitespace().skip(1).take(MAX_TERMS).count();
    Some(WORD * spaced.max(text.len() / WORD_BYTES).min(MAX_TERMS) as u64)
}
