//! What a field costs by itself, in the time that a plain field takes.

use async_graphql::registry::{MetaField, Registry};

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

/// The text is folded and searched again for what to mark. Long texts count besides when they are read.
const SNIPPET: u64 = 50;

/// The price of the field `name`, which is `meta` on the type called `parent`.
pub(super) fn price(registry: &Registry, parent: Option<&str>, name: &str, meta: Option<&MetaField>) -> u64 {
    let is_write = parent.is_some() && parent == registry.mutation_type.as_deref();
    let is_entry = parent.is_some_and(|parent| parent == registry.query_type || parent == "Viewer");
    match name {
        "__schema" => SCHEMA,
        "search" => SEARCH,
        "snippet" => SNIPPET,
        _ if is_write => WRITE,
        _ if is_page(meta) && is_entry => PAGE,
        _ => 1,
    }
}

/// How many bytes count as a word where nothing stands between words.
const WORD_BYTES: usize = 24;

/// What a search for `text` costs beyond one for a single word.
pub(super) fn words(text: &str) -> u64 {
    // It is refused when it is run; until then it is not looked through, as the same text may be asked for many times.
    if text.len() > MAX_CHARS * char::MAX_LEN_UTF8 {
        return WORD * MAX_TERMS as u64;
    }
    let spaced = text.split_whitespace().skip(1).take(MAX_TERMS).count();
    WORD * spaced.max(text.len() / WORD_BYTES).min(MAX_TERMS) as u64
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
