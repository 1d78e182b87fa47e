//! The places of the schema where a client can put a value that may name a row.

use std::collections::{BTreeMap, BTreeSet};

use causerie::graphql;
use serde_json::Value;

const INTROSPECTION: &str = "{
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types {
      kind name
      fields(includeDeprecated: true) { name args(includeDeprecated: true) { name type { ...Named } } }
      inputFields(includeDeprecated: true) { name type { ...Named } }
    }
    directives { name args { name type { ...Named } } }
  }
}
fragment Named on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Scalars that cannot name a row.
const HARMLESS: [&str; 4] = ["Int", "Float", "Boolean", "Date"];

/// Directives of the language itself.
const STANDARD_DIRECTIVES: [&str; 5] = ["include", "skip", "deprecated", "specifiedBy", "oneOf"];

/// Every root field, as `Query.viewer`, and every argument that is neither a number, a truth value nor an enum, as
/// `Query.message(id)` and, within input objects, `Mutation.sendMessage(input.content)`.
pub fn of_schema() -> BTreeSet<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(graphql::schema().execute(INTROSPECTION));
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    let schema = answer.data.into_json().unwrap()["__schema"].take();
    let types: BTreeMap<&str, &Value> =
        list(&schema["types"]).map(|kind| (kind["name"].as_str().unwrap(), kind)).collect();
    let roots: Vec<&str> = ["queryType", "mutationType", "subscriptionType"]
        .iter()
        .filter_map(|root| schema[root]["name"].as_str())
        .collect();

    let mut places = BTreeSet::new();
    for (name, kind) in &types {
        if name.starts_with("__") {
            continue;
        }
        for field in list(&kind["fields"]) {
            let field_place = format!("{name}.{}", field["name"].as_str().unwrap());
            let mut found = Vec::new();
            collect(&types, list(&field["args"]), "", &mut found);
            if found.is_empty() && roots.contains(name) {
                places.insert(field_place.clone());
            }
            places.extend(found.into_iter().map(|argument| format!("{field_place}({argument})")));
        }
    }
    for directive in list(&schema["directives"]) {
        let name = directive["name"].as_str().unwrap();
        if !STANDARD_DIRECTIVES.contains(&name) {
            places.insert(format!("@{name}"));
        }
    }
    places
}

fn collect<'a>(
    types: &BTreeMap<&str, &Value>,
    inputs: impl Iterator<Item = &'a Value>,
    path: &str,
    found: &mut Vec<String>,
) {
    for input in inputs {
        let path = format!("{path}{}", input["name"].as_str().unwrap());
        let name = innermost(&input["type"]);
        match types[name]["kind"].as_str().unwrap() {
            "ENUM" => {}
            "SCALAR" if HARMLESS.contains(&name) => {}
            // An input object within itself would be walked for ever; none of ours is.
            "INPUT_OBJECT" => {
                assert!(path.matches('.').count() < 8, "{path} has no end");
                collect(types, list(&types[name]["inputFields"]), &format!("{path}."), found);
            }
            _ => found.push(path),
        }
    }
}

fn innermost(kind: &Value) -> &str {
    match &kind["ofType"] {
        Value::Null => kind["name"].as_str().unwrap(),
        inner => innermost(inner),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}
