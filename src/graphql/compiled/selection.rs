//! What a selection set selects.

use std::collections::HashMap;

use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Pos, Positioned};

/// The fragments of a document.
pub(super) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// A field of an answer. Validation has seen that what has the same key is the same field with the same arguments.
pub(crate) struct Selected<'d> {
    pub(super) key: &'d str,
    pub(crate) position: Pos,
    /// The first of the fields that have the key.
    pub(super) field: &'d Field,
    /// What is selected of the value.
    pub(super) sets: Vec<&'d SelectionSet>,
}

/// Which fragments apply to an object.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// The object's type, and the interfaces and the union as one of which it is selected.
    pub(super) is: &'static [&'static str],
    /// The other types that it might have been. Its own may be among them.
    pub(super) is_not: &'static [&'static str],
}

/// The fields of an object in the order of the answer; `None` if they depend on a condition.
pub(super) fn select<'d>(
    fragments: &'d Fragments,
    sets: &[&'d SelectionSet],
    kind: Kind,
) -> Option<Vec<Selected<'d>>> {
    let mut selected = Vec::new();
    for set in sets {
        collect(fragments, set, kind, &mut selected)?;
    }
    Some(selected)
}

fn collect<'d>(
    fragments: &'d Fragments,
    set: &'d SelectionSet,
    kind: Kind,
    selected: &mut Vec<Selected<'d>>,
) -> Option<()> {
    for selection in &set.items {
        if !selection.node.directives().is_empty() {
            return None;
        }
        let (condition, below) = match &selection.node {
            Selection::Field(field) => {
                let (position, field) = (field.pos, &field.node);
                let key = field.response_key().node.as_str();
                let below = &field.selection_set.node;
                match selected.iter_mut().find(|earlier| earlier.key == key) {
                    Some(earlier) => earlier.sets.push(below),
                    None => selected.push(Selected { key, position, field, sets: vec![below] }),
                }
                continue;
            }
            Selection::InlineFragment(fragment) => {
                (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = &fragments.get(&spread.node.fragment_name.node)?.node;
                if !fragment.directives.is_empty() {
                    return None;
                }
                (Some(&fragment.type_condition), &fragment.selection_set)
            }
        };
        match condition.map(|condition| condition.node.on.node.as_str()) {
            Some(condition) if kind.is.contains(&condition) => {
                collect(fragments, &below.node, kind, selected)?;
            }
            Some(condition) if kind.is_not.contains(&condition) => {}
            Some(_) => return None,
            None => collect(fragments, &below.node, kind, selected)?,
        }
    }
    Some(())
}
