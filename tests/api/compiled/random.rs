//! Random queries over the schema.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::Value;

pub const INTROSPECTION: &str = "{ __schema { types { kind name possibleTypes { name } enumValues { name }
  fields { name type { ...T } args { name type { ...T } } } } } }
  fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }";

/// What only the library resolves, so that a query that selects it is not compiled: fields of all types, or of one.
pub const LIBRARY_ONLY: &[&str] = &["Viewer.quotas", "Viewer.usage"];

/// How deep queries are nested.
const DEPTH: usize = 7;

/// Makes a query from a seed.
pub struct Documents<'w> {
    types: BTreeMap<&'w str, &'w Value>,
    ids: &'w [String],
    cursors: &'w [String],
    without: &'w [&'w str],
    random: Rng,
    fragments: Vec<String>,
    aliases: usize,
}

impl<'w> Documents<'w> {
    pub fn new(
        types: &'w Value,
        ids: &'w [String],
        cursors: &'w [String],
        without: &'w [&'w str],
        seed: u64,
    ) -> Self {
        let types = types.as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it)).collect();
        let random = Rng::with_seed(seed);
        Self { types, ids, cursors, without, random, fragments: Vec::new(), aliases: 0 }
    }

    /// A query whose last field has the place `$condition` for a directive.
    pub fn query(mut self) -> String {
        let mut set = self.set("Query", 0);
        set.truncate(set.len() - 1);
        // Fragments come first, so that nothing that has a place moves.
        format!("{}query {set} last: __typename $condition }}", self.fragments.concat())
    }

    /// A subscription to `field`, whose events are of the type `name`, with the place `$condition` in the last field.
    pub fn subscription(mut self, field: &str, name: &str) -> String {
        let mut set = self.set(name, 0);
        set.truncate(set.len() - 1);
        format!(
            "{}subscription {{ events: {field} {set} last: __typename $condition }} }}",
            self.fragments.concat()
        )
    }

    /// A selection set of objects of the type `name`.
    fn set(&mut self, name: &str, depth: usize) -> String {
        let selections: Vec<String> =
            (0..self.random.usize(1..=6)).filter_map(|_| self.selection(name, depth)).collect();
        if selections.is_empty() {
            "{ __typename }".to_owned()
        } else {
            format!("{{ {} }}", selections.join(" "))
        }
    }

    fn selection(&mut self, name: &str, depth: usize) -> Option<String> {
        if depth >= DEPTH {
            return Some("__typename".to_owned());
        }
        match self.random.usize(0..20) {
            0 => return Some("__typename".to_owned()),
            1 => {
                let condition = if self.random.bool() { format!("on {name} ") } else { String::new() };
                return Some(format!("... {condition}{}", self.set(name, depth + 1)));
            }
            2 => {
                let number = self.fragments.len();
                // Its place first: it may have fragments of its own.
                self.fragments.push(String::new());
                let set = self.set(name, depth + 1);
                self.fragments[number] = format!("fragment F{number} on {name} {set} ");
                return Some(format!("...F{number}"));
            }
            _ => {}
        }
        let of_type = self.types[name];
        if let Some(possible) = of_type["possibleTypes"].as_array() {
            let possible = possible[self.random.usize(..possible.len())]["name"].as_str().unwrap();
            return Some(format!("... on {possible} {}", self.set(possible, depth + 1)));
        }
        let fields: Vec<&Value> =
            of_type["fields"].as_array()?.iter().filter(|it| self.may_select(name, it)).collect();
        let field = *fields.get(self.random.usize(..fields.len().max(1)))?;
        let field_name = field["name"].as_str().unwrap();
        let arguments = self.arguments(field)?;
        // Without an alias, the same field with other arguments would be refused.
        let key = if arguments.is_empty() && self.random.usize(0..4) > 0 {
            field_name.to_owned()
        } else {
            self.aliases += 1;
            format!("a{}: {field_name}", self.aliases)
        };
        let (kind, type_name) = named(&field["type"]);
        let set = match kind {
            "OBJECT" | "INTERFACE" | "UNION" => self.set(type_name, depth + 1),
            _ => String::new(),
        };
        Some(format!("{key}{arguments} {set}"))
    }

    fn may_select(&self, of_type: &str, field: &Value) -> bool {
        let name = field["name"].as_str().unwrap();
        let of_one = format!("{of_type}.{name}");
        !self.without.contains(&name) && !self.without.contains(&of_one.as_str())
    }

    /// Arguments for a field; `None` if it needs one that is not known here.
    fn arguments(&mut self, field: &Value) -> Option<String> {
        let mut arguments = Vec::new();
        for argument in field["args"].as_array().unwrap() {
            let name = argument["name"].as_str().unwrap();
            let required = argument["type"]["kind"] == "NON_NULL";
            // Cursors are mostly those of other lists, and pages of another branch are the library's.
            let is_usual =
                !["before", "leafId", "after", "since"].contains(&name) || self.random.usize(0..10) == 0;
            if required || (is_usual && self.random.usize(0..3) == 0) {
                // Only one of both is allowed.
                if name == "last" && arguments.iter().any(|given: &String| given.starts_with("first")) {
                    continue;
                }
                match self.argument(name, named(&argument["type"])) {
                    Some(value) => arguments.push(format!("{name}: {value}")),
                    None if required => return None,
                    None => {}
                }
            }
        }
        Some(if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) })
    }

    fn argument(&mut self, name: &str, (kind, type_name): (&str, &str)) -> Option<String> {
        if self.random.usize(0..12) == 0 && !["id", "conversationId", "query"].contains(&name) {
            return Some("null".to_owned());
        }
        Some(match (name, kind) {
            ("id" | "conversationId" | "leafId", _) => {
                format!("\"{}\"", self.ids[self.random.usize(..self.ids.len())])
            }
            ("first" | "last", _) if self.random.usize(0..40) > 0 => {
                [0, 1, 2, 3, 5, 20][self.random.usize(..6)].to_string()
            }
            ("first" | "last", _) => [-1, 101][self.random.usize(..2)].to_string(),
            ("since" | "until", _) if type_name == "Date" => "\"2026-11-01\"".to_owned(),
            ("after" | "before" | "since", _) => {
                format!("\"{}\"", self.cursors[self.random.usize(..self.cursors.len())])
            }
            ("query", _) => "\"question\"".to_owned(),
            ("filter", _) if type_name == "ConversationFilter" => {
                let filters = [
                    "{}",
                    "{ states: [ACTIVE, ARCHIVED] }",
                    "{ states: [TRASHED] }",
                    "{ states: TRASHED }",
                    "{ pinned: true }",
                    "{ titleContains: \"question\" }",
                    "{ titleContains: \"\" }",
                    "{ updatedSince: \"2020-01-01T00:00:00Z\" }",
                    "{ metadata: { a: [1.5] } }",
                ];
                filters[self.random.usize(..filters.len())].to_owned()
            }
            (_, "ENUM") => {
                let values = self.types[type_name]["enumValues"].as_array().unwrap();
                values[self.random.usize(..values.len())]["name"].as_str().unwrap().to_owned()
            }
            _ => return None,
        })
    }
}

/// The kind and the name of a type, without what it is wrapped in.
fn named(of: &Value) -> (&str, &str) {
    let mut of = of;
    while !of["ofType"].is_null() {
        of = &of["ofType"];
    }
    (of["kind"].as_str().unwrap(), of["name"].as_str().unwrap())
}
