//! What a field costs by itself, in the time that a plain field takes.

use async_graphql::registry::{MetaField, Registry};

/// The schema has some thousand parts.
const SCHEMA: u64 = 2000;

/// One of its types has some dozens.
const TYPE: u64 = 100;

/// The index is asked for each word, and what is found is ranked.
const SEARCH: u64 = 1000;

/// A transaction that waits for the disk.
const WRITE: u64 = 200;

/// A statement of its own.
const PAGE: u64 = 10;

/// The price of the field `name`, which is `meta` on the type called `parent`.
pub(super) fn price(registry: &Registry, parent: Option<&str>, name: &str, meta: Option<&MetaField>) -> u64 {
    let is_write = parent.is_some() && parent == registry.mutation_type.as_deref();
    match name {
        "__schema" => SCHEMA,
        "__type" => TYPE,
        "search" => SEARCH,
        _ if is_write => WRITE,
        _ if is_page(meta) => PAGE,
        _ => 1,
    }
}

/// Whether the field answers with a page of a list.
pub(super) fn is_page(meta: Option<&MetaField>) -> bool {
    meta.is_some_and(|meta| meta.args.contains_key("first"))
}
