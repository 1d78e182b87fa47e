//! What admission promises of any document and variables.

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

use super::document::Document;
use super::query_limits::QueryLimits;

/// Small enough that a fuzzer soon finds what is around them.
const LIMITS: QueryLimits =
    QueryLimits { tokens: 300, size: 60, depth: 8, aliases: 6, directives: 6, complexity: 400 };

/// The most bytes that an error may say of a request.
const MESSAGE: usize = 1024;

/// Reads a document, then after a NUL a JSON object of variables, and judges them.
///
/// # Panics
/// If what is above a limit is let pass, or an error is longer than one may be.
pub fn query_guard(bytes: &[u8]) {
    let (query, variables) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &b""[..]),
    };
    let text = String::from_utf8_lossy(query);
    let mut variables = serde_json::from_slice(variables).map(Variables::from_json).unwrap_or_default();
    let document = match Document::parse(&text, &LIMITS) {
        Ok(document) => document,
        Err(error) => {
            assert!(error.message.len() <= MESSAGE, "a refusal is too long");
            assert!(error.extensions.is_some(), "a refusal has a code");
            return;
        }
    };
    let costs = document.cost(&variables).and_then(|cost| cost.check(&LIMITS).map_err(|error| vec![error]));
    let judged = costs.and_then(|()| {
        let operation = document.select(None).map_err(|error| vec![error])?;
        document.check_variables(&operation, &mut variables).map_err(|error| vec![error])
    });
    for error in judged.err().unwrap_or_default() {
        // Validation names what the query names; each name is bounded, and so is their number.
        assert!(error.message.len() <= MESSAGE + query.len(), "an error is too long");
        assert!(error.extensions.is_some(), "an error has a code");
    }
    if document.errors().is_empty() {
        check_size(&document.executable());
    }
}

/// Walks a document that has passed in the plainest way, with every fragment wherever it is spread.
fn check_size(document: &ExecutableDocument) {
    for (_, operation) in document.operations.iter() {
        let mut left = LIMITS.size;
        spend(document, &operation.node.selection_set.node, LIMITS.depth, &mut left);
    }
}

fn spend(document: &ExecutableDocument, set: &SelectionSet, levels: u64, left: &mut u64) {
    assert!(levels > 0 || set.items.is_empty(), "a query that is too deep has passed");
    for selection in &set.items {
        assert!(*left > 0, "a query that is too large has passed");
        *left -= 1;
        let below = match &selection.node {
            Selection::Field(field) => &field.node.selection_set,
            Selection::InlineFragment(fragment) => &fragment.node.selection_set,
            Selection::FragmentSpread(spread) => {
                match document.fragments.get(&spread.node.fragment_name.node) {
                    Some(fragment) => &fragment.node.selection_set,
                    None => continue,
                }
            }
        };
        spend(document, &below.node, levels.saturating_sub(1), left);
    }
}
