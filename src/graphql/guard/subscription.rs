//! The one field of a subscription.

use std::collections::HashSet;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerResult};

use super::refusal::invalid;

/// Brings a subscription's field out of the fragments around it: the library does not look for it there.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED` unless there is exactly one field, and no condition on it.
pub(super) fn flatten(
    operation: &mut OperationDefinition,
    document: &ExecutableDocument,
) -> ServerResult<()> {
    if operation.ty != OperationType::Subscription {
        return Ok(());
    }
    let mut fields = Vec::new();
    collect(&operation.selection_set.node, document, &mut HashSet::new(), &mut fields);
    let position = Some(operation.selection_set.pos);
    let [field] = fields.as_slice() else {
        return Err(invalid("A subscription must have exactly one field.", position));
    };
    let conditional = |selection: &Selection| {
        selection.directives().iter().any(|it| matches!(it.node.name.node.as_str(), "skip" | "include"))
    };
    if operation.selection_set.node.items.iter().any(|selection| conditional(&selection.node))
        || field.node.directives.iter().any(|it| matches!(it.node.name.node.as_str(), "skip" | "include"))
    {
        return Err(invalid("A subscription's field cannot be skipped.", position));
    }
    // The fragments stay, for validation to see that they are used; nothing looks into them afterwards.
    let field = Positioned::new(Selection::Field((*field).clone()), field.pos);
    let items = &mut operation.selection_set.node.items;
    items.retain(|selection| !matches!(selection.node, Selection::Field(_)));
    items.insert(0, field);
    Ok(())
}

/// Collects the fields of `set`, those of fragments included, each fragment once.
fn collect<'d>(
    set: &'d SelectionSet,
    document: &'d ExecutableDocument,
    visited: &mut HashSet<&'d Name>,
    fields: &mut Vec<&'d Positioned<Field>>,
) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => fields.push(field),
            Selection::InlineFragment(fragment) => {
                collect(&fragment.node.selection_set.node, document, visited, fields);
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = document.fragments.get(name)
                    && visited.insert(name)
                {
                    collect(&fragment.node.selection_set.node, document, visited, fields);
                }
            }
        }
    }
}
