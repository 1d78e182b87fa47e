//! The one field of a subscription.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, ServerResult};

use super::refusal::invalid;

/// Brings a subscription's field out of the fragments around it: the library does not look for it there. Validation
/// has seen that there is no condition on it.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED` unless there is exactly one: the library would run each of several that are the same.
pub(super) fn flatten(
    operation: &mut OperationDefinition,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
) -> ServerResult<()> {
    let mut fields = Vec::new();
    collect(&operation.selection_set.node, fragments, &mut HashSet::new(), &mut fields);
    let [field] = fields.as_slice() else {
        return Err(invalid(
            "A subscription must have exactly one field.",
            Some(operation.selection_set.pos),
        ));
    };
    let field = Positioned::new(Selection::Field((*field).clone()), field.pos);
    operation.selection_set.node.items = vec![field];
    Ok(())
}

/// Collects the fields of `set`, those of fragments included, each fragment once.
fn collect<'d>(
    set: &'d SelectionSet,
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    visited: &mut HashSet<&'d Name>,
    fields: &mut Vec<&'d Positioned<Field>>,
) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => fields.push(field),
            Selection::InlineFragment(fragment) => {
                collect(&fragment.node.selection_set.node, fragments, visited, fields);
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = fragments.get(name)
                    && visited.insert(name)
                {
                    collect(&fragment.node.selection_set.node, fragments, visited, fields);
                }
            }
        }
    }
}
