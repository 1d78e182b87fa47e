//! Queries that are little to send and much to answer.

use std::fmt::Write;

use crate::provider::SLOWLY;

/// Much to write.
pub(super) const EXPLORE: &str = "{ __schema { types { name description fields { name description } } } }";

/// Few rows, their texts many times.
pub(super) fn texts() -> String {
    let mut query = "{ conversations(first: 90) { nodes { messages(first: 2) { nodes {".to_owned();
    for alias in 0..90 {
        let _ = write!(query, " a{alias}: content");
    }
    query + " } } } } }"
}

/// As many rows as one query may read, nearly nothing of each.
pub(super) fn rows() -> String {
    let mut query = "{".to_owned();
    for alias in 0..30 {
        let _ = write!(
            query,
            " a{alias}: conversations(first: 100) {{ nodes {{ messages(first: 2) {{ nodes {{ id }} }} }} }}"
        );
    }
    query + " }"
}

/// As many searches for what is everywhere as one query may have.
pub(super) fn searches() -> String {
    let mut query = "{".to_owned();
    for alias in 0..5 {
        let _ = write!(
            query,
            " a{alias}: search(query: \"hoard\", first: 50) {{ nodes {{ snippet {{ text }} }} }}"
        );
    }
    query + "}"
}

/// A search that has to read everything: nothing must be there, and much must not.
pub(super) fn exclusions() -> String {
    let mut words = String::new();
    for word in 0..32 {
        let _ = write!(words, "-absent{word} ");
    }
    format!("{{ search(query: \"{words}\", first: 100) {{ nodes {{ message {{ id }} }} }} }}")
}

/// As many replies as one request may begin, each of which takes minutes.
pub(super) fn replies() -> String {
    let mut query = "mutation {".to_owned();
    for alias in 0..95 {
        let _ = write!(
            query,
            " a{alias}: sendMessage(input: {{ content: \"{SLOWLY} {alias}\", awaitReply: false }}) {{ reply {{ id }} }}"
        );
    }
    query + " }"
}

/// A query that is little to send and much to read.
pub(super) fn bomb(kind: usize) -> String {
    match kind {
        0 => {
            let mut query = "{ ...F0 }".to_owned();
            for level in 0..40 {
                let next = level + 1;
                let _ = write!(query, " fragment F{level} on Query {{ ...F{next} ...F{next} }}");
            }
            query + " fragment F40 on Query { viewer { id } }"
        }
        1 => format!("{}id{}", "{ viewer ".repeat(2000), "}".repeat(2000)),
        2 => {
            let mut query = "{".to_owned();
            for alias in 0..5000 {
                let _ = write!(query, " a{alias}: viewer {{ id }}");
            }
            query + " }"
        }
        _ => {
            let pages = "conversations(first: 100) { nodes { messages(first: 100) { nodes { conversation { ";
            format!("{{ {}id{} }}", pages.repeat(5), " } } } } }".repeat(5))
        }
    }
}
