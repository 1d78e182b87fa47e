//! The one field of a subscription.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, ServerResult};

use super::refusal::invalid;
use super::schema::schema;

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

/// Whether a subscription, which is valid, changes something before it streams anything.
pub(super) fn writes(operation: &OperationDefinition) -> bool {
    let fields = operation.selection_set.node.items.iter();
    fields.filter_map(field).any(|field| is_mutation(&field.name.node))
}

fn field(selection: &Positioned<Selection>) -> Option<&Field> {
    match &selection.node {
        Selection::Field(field) => Some(&field.node),
        _ => None,
    }
}

/// Whether there is a mutation of this name. A subscription that has it writes what the mutation writes.
pub(super) fn is_mutation(name: &str) -> bool {
    let mutations = schema().schema_definition.mutation.as_ref();
    let mutations = mutations.and_then(|root| schema().get_object(&root.name));
    mutations.is_some_and(|mutations| mutations.fields.contains_key(name))
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
