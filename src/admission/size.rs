//! How large a document is, each of its fragments visited once.
//!
//! Others follow every fragment spread: a document of two kilobytes, each fragment spreading the next one twice, would
//! keep them busy for ever. So nothing else follows the spreads before this has measured it.

use std::collections::HashMap;

use apollo_compiler::{Name, Node, ast};
use async_graphql::{ServerError, ServerResult};

use super::query_limits::QueryLimits;
use super::refusal::{invalid, too_large};
use super::validation::position;
use crate::error::Code;

/// Checks that the document's operations, and its fragments even if nothing spreads them, are within `limits`.
///
/// # Errors
/// `GRAPHQL_VALIDATION_FAILED`, with the bound.
pub(super) fn check(document: &ast::Document, limits: &QueryLimits) -> ServerResult<()> {
    let fragments = document.definitions.iter().filter_map(ast::Definition::as_fragment_definition);
    let unmeasured: HashMap<&Name, &Node<ast::FragmentDefinition>> =
        fragments.map(|fragment| (&fragment.name, fragment)).collect();
    let mut walk = Walk { document, limits, unmeasured, measured: HashMap::new() };
    let mut total = Size::default();
    for operation in document.definitions.iter().filter_map(ast::Definition::as_operation_definition) {
        let on_variables: usize = operation.variables.iter().map(|it| it.directives.len()).sum();
        let directives = (operation.directives.len() + on_variables) as u64;
        total = total.and(walk.selections(&operation.selection_set, 0)?).and(Size::of_directives(directives));
        total.check(limits)?;
    }
    for fragment in document.definitions.iter().filter_map(ast::Definition::as_fragment_definition) {
        walk.fragment(&fragment.name, 0)?.check(limits)?;
    }
    Ok(())
}

/// The size of a part of a document. All numbers stop at their type's maximum.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    selections: u64,
    depth: u64,
    aliases: u64,
    directives: u64,
}

impl Size {
    fn of_directives(directives: u64) -> Self {
        Self { directives, ..Self::default() }
    }

    /// Both, side by side.
    fn and(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
        }
    }

    fn check(&self, limits: &QueryLimits) -> ServerResult<()> {
        let bounds = [
            ("depth", self.depth, limits.depth),
            ("size", self.selections, limits.size),
            ("number of aliases", self.aliases, limits.aliases),
            ("number of directives", self.directives, limits.directives),
        ];
        match bounds.into_iter().find(|(_, measured, maximum)| measured > maximum) {
            Some((limit, _, maximum)) => Err(above(limit, maximum)),
            None => Ok(()),
        }
    }
}

/// The document is above `limit`, which is `maximum`.
pub(super) fn above(limit: &str, maximum: u64) -> ServerError {
    too_large(Code::ValidationFailed, limit, maximum)
}

struct Walk<'d> {
    document: &'d ast::Document,
    limits: &'d QueryLimits,
    unmeasured: HashMap<&'d Name, &'d Node<ast::FragmentDefinition>>,
    /// `None` while it is being measured.
    measured: HashMap<&'d Name, Option<Size>>,
}

impl<'d> Walk<'d> {
    /// `above` is how many selection sets lie around this one. It also bounds how deep this calls itself.
    fn selections(&mut self, selections: &'d [ast::Selection], above: u64) -> ServerResult<Size> {
        if selections.is_empty() {
            return Ok(Size::default());
        }
        if above >= self.limits.depth {
            return Err(self::above("depth", self.limits.depth));
        }
        let mut total = Size::default();
        for selection in selections {
            let (below, directives, aliases) = match selection {
                ast::Selection::Field(field) => {
                    let below = self.selections(&field.selection_set, above + 1)?;
                    (below, &field.directives, u64::from(field.alias.is_some()))
                }
                ast::Selection::InlineFragment(fragment) => {
                    (self.selections(&fragment.selection_set, above + 1)?, &fragment.directives, 0)
                }
                ast::Selection::FragmentSpread(spread) => {
                    (self.fragment(&spread.fragment_name, above + 1)?, &spread.directives, 0)
                }
            };
            let own = Size { selections: 1, aliases, ..Size::of_directives(directives.len() as u64) };
            total = total.and(below).and(own);
        }
        total.depth = total.depth.saturating_add(1);
        Ok(total)
    }

    fn fragment(&mut self, name: &Name, above: u64) -> ServerResult<Size> {
        // Validation says that there is no such fragment.
        let Some(fragment) = self.unmeasured.get(name).copied() else { return Ok(Size::default()) };
        match self.measured.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let position = position(fragment.line_column_range(&self.document.sources));
                return Err(invalid("A fragment must not spread itself.", position));
            }
            None => {}
        }
        self.measured.insert(&fragment.name, None);
        let body = self.selections(&fragment.selection_set, above)?;
        let size = body.and(Size::of_directives(fragment.directives.len() as u64));
        self.measured.insert(&fragment.name, Some(size));
        Ok(size)
    }
}
