//! What a field costs by itself, in the time that a plain field takes.

use async_graphql::registry::{MetaField, Registry};

/// The index is asked for each word, and what is found is ranked.
const SEARCH: u64 = 1000;

/// A transaction that waits for the disk.
const WRITE: u64 = 200;

/// Statements of its own; pages within other rows are read together.
const PAGE: u64 = 10;

/// The text is searched again for what to mark.
const SNIPPET: u64 = 10;

/// The price of the field `name`, which is `meta` on the type called `parent`.
pub(super) fn price(registry: &Registry, parent: Option<&str>, name: &str, meta: Option<&MetaField>) -> u64 {
    let is_write = parent.is_some() && parent == registry.mutation_type.as_deref();
    let is_entry = parent.is_some_and(|parent| parent == registry.query_type || parent == "Viewer");
    match name {
        "search" => SEARCH,
        "snippet" => SNIPPET,
        _ if is_write => WRITE,
        _ if is_page(meta) && is_entry => PAGE,
        _ => 1,
    }
}

/// Whether the field answers with a page of a list.
pub(super) fn is_page(meta: Option<&MetaField>) -> bool {
    meta.is_some_and(|meta| meta.args.contains_key("first"))
}

/// How many items a list of the introspection counts as: fewer than it has, as a part of the schema is quickly told.
pub(super) fn introspected(parent: Option<&str>, name: &str) -> Option<u64> {
    match (parent?, name) {
        ("__Schema", "types") => Some(10),
        ("__Type", "fields" | "inputFields" | "enumValues" | "interfaces" | "possibleTypes") => Some(5),
        _ => None,
    }
}
